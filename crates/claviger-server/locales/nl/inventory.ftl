## Tokens of members
nav-inventory = Tokens van leden
inventory-title = Tokens van leden
inventory-what = Elk persoonlijk toegangstoken dat in deze organisatie werkt. U kunt het uitschakelen of intrekken; wat het mag en het geheim zijn van de eigenaar.
inventory-of = Tokens van { $name }
inventory-owner = Eigenaar: een naam of adres
inventory-waiting = Wachten op goedkeuring
inventory-waiting-all = Alle wachtende tonen
inventory-none = Nog geen tokens
inventory-none-what = Leden maken ze onder ‘Persoonlijke toegangstokens’. Wat ze voor deze organisatie maken, staat hier.

## Many at once
inventory-revoke-all = Deze allemaal intrekken…
inventory-revoke-title = Veel tokens intrekken?
inventory-more = Er zijn maar { $count } tokens bekeken, dus de telling is niet volledig. Ga terug en kies eerst een eigenaar.
inventory-matched = { $count ->
    [one] Eén token zou eindigen.
   *[other] { $count } tokens zouden eindigen.
}
inventory-anybody = iedereen
inventory-any-live = niet ingetrokken en niet verlopen
inventory-leaves-out = Tokens van wie de hele instantie beheert, vallen erbuiten: alleen iemand die dat ook doet, kan ze beëindigen.
inventory-nothing-ends = Er is geen levend token dat hieraan voldoet. Er valt niets in te trekken.
inventory-first-of-them = Dit zijn de nieuwste ervan.
inventory-revoke-what = Alles wat deze tokens gebruikt, werkt meteen niet meer. Dit is definitief.
inventory-type = Typ { $count } om te bevestigen
inventory-count-wrong = Typ het aantal tokens dat zou eindigen. Er is niets ingetrokken.
inventory-count-changed = Het aantal is intussen veranderd: bekijk ze opnieuw. Er is niets ingetrokken.
inventory-too-late = Deze pagina stond langer dan een uur open: bekijk ze opnieuw. Er is niets ingetrokken.
inventory-revoke-done = Klaar
inventory-revoked = { $count ->
    [one] Eén token is ingetrokken. Het wordt hier meteen geweigerd, en op elke andere node binnen een seconde.
   *[other] { $count } tokens zijn ingetrokken. Ze worden hier meteen geweigerd, en op elke andere node binnen een seconde.
}
inventory-back = Terug naar de tokens
inventory-see-revoked = Bekijk wat is ingetrokken
