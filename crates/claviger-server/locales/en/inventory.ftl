## Tokens of members
nav-inventory = Tokens of members
inventory-title = Tokens of members
inventory-what = Every personal access token that acts in this organization. You can disable or revoke one; what it may do, and its secret, are its owner’s.
inventory-of = Tokens of { $name }
inventory-owner = Owner: a name or an address
inventory-waiting = Waiting for an approval
inventory-waiting-all = Show all that wait
inventory-none = No tokens yet
inventory-none-what = Members make them under “Personal access tokens”. What they make for this organization is listed here.

## Many at once
inventory-revoke-all = Revoke all of these…
inventory-revoke-title = Revoke many tokens?
inventory-more = Only { $count } tokens were looked at, so this is not the number of all. Go back and choose an owner first.
inventory-matched = { $count ->
    [one] One token would end.
   *[other] { $count } tokens would end.
}
inventory-anybody = anybody
inventory-any-live = neither revoked nor expired
inventory-leaves-out = Tokens of whoever administers the whole instance are left out: only somebody who does the same can end them.
inventory-nothing-ends = No token that still lives matches. There is nothing to revoke.
inventory-first-of-them = These are the newest of them.
inventory-revoke-what = Whatever uses these tokens stops working at once. This is final.
inventory-type = Type { $count } to confirm
inventory-count-wrong = Type the number of tokens that would end. Nothing was revoked.
inventory-count-changed = The number changed meanwhile: look at them again. Nothing was revoked.
inventory-too-late = This page was open for more than an hour: look at them again. Nothing was revoked.
inventory-revoke-done = Done
inventory-revoked = { $count ->
    [one] One token was revoked. It is refused here at once, and on every other node within a second.
   *[other] { $count } tokens were revoked. They are refused here at once, and on every other node within a second.
}
inventory-back = Back to the tokens
inventory-see-revoked = See what was revoked
