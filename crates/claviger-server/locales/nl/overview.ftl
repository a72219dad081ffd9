## What needs attention
overview-keys = { $count ->
    [one] Eén API-sleutel werkt.
   *[other] { $count } API-sleutels werken.
}
attention = Vraagt aandacht
attention-none = Niets vraagt aandacht
attention-none-what = Geen sleutel loopt binnenkort af, ligt stil of loopt nooit af, en er wacht geen goedkeuring.
attention-rolling = { $count ->
    [one] Eén sleutel heeft een oud geheim dat nog werkt
   *[other] { $count } sleutels hebben een oud geheim dat nog werkt
}
attention-soon = { $count ->
    [one] Eén sleutel loopt binnen 14 dagen af
   *[other] { $count } sleutels lopen binnen 14 dagen af
}
attention-idle = { $count ->
    [one] Eén sleutel is al 90 dagen niet gebruikt
   *[other] { $count } sleutels zijn al 90 dagen niet gebruikt
}
attention-endless = { $count ->
    [one] Eén sleutel loopt nooit af
   *[other] { $count } sleutels lopen nooit af
}
