## What needs attention
overview-keys = { $count ->
    [one] One API key works.
   *[other] { $count } API keys work.
}
attention = Needs attention
attention-none = Nothing needs attention
attention-none-what = No key ends soon, lies idle or never ends, and no approval waits.
attention-rolling = { $count ->
    [one] One key has an old secret that still works
   *[other] { $count } keys have an old secret that still works
}
attention-soon = { $count ->
    [one] One key ends within 14 days
   *[other] { $count } keys end within 14 days
}
attention-idle = { $count ->
    [one] One key has not been used for 90 days
   *[other] { $count } keys have not been used for 90 days
}
attention-endless = { $count ->
    [one] One key never ends
   *[other] { $count } keys never end
}
