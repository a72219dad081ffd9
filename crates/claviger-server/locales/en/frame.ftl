## Frame
signed-in-as = Signed in as { $name }
sign-out = Sign out
languages = Languages
back = Back to the start
cancel = Cancel
continue = Continue

## Start
start-title = Start
start-hello = Hello, { $name }
organizations = Your organizations
organizations-none = You do not belong to an organization yet. Ask whoever sent you here for an invitation.

## Navigation
skip = Skip to the content
menu = Menu
menu-close = Close
navigation = Navigation
nav-organization = Organization
nav-overview = Overview
nav-api-keys = API keys
nav-account = Your account
nav-tokens = Personal access tokens
nav-approvals = Approvals
nav-instance = Instance
organizations-title = Organizations
organizations-all = All organizations
crumbs = Where this page is
pages = Pages of the list
page-first = First page
page-next = Next page
search = Search by name
state = State
order = Order
filter = Apply
filter-clear = Show all
copy = Copy
copied = Copied
save = Save
never = never

## Times
time-now = just now
time-minutes-ago = { $count ->
    [one] 1 minute ago
   *[other] { $count } minutes ago
}
time-minutes-ahead = { $count ->
    [one] in 1 minute
   *[other] in { $count } minutes
}
time-hours-ago = { $count ->
    [one] 1 hour ago
   *[other] { $count } hours ago
}
time-hours-ahead = { $count ->
    [one] in 1 hour
   *[other] in { $count } hours
}
time-days-ago = { $count ->
    [one] 1 day ago
   *[other] { $count } days ago
}
time-days-ahead = { $count ->
    [one] in 1 day
   *[other] in { $count } days
}
time-months-ago = { $count ->
    [one] 1 month ago
   *[other] { $count } months ago
}
time-months-ahead = { $count ->
    [one] in 1 month
   *[other] in { $count } months
}
time-years-ago = { $count ->
    [one] 1 year ago
   *[other] { $count } years ago
}
time-years-ahead = { $count ->
    [one] in 1 year
   *[other] in { $count } years
}

## Done
done-changed = Done. All other browsers are signed out.
done-saved = Saved. It counts from now on.
done-once = This form was sent before, so nothing more was made. If it made a secret, that was shown then, and is not shown again.
done-disabled = It is disabled: refused from now on, until somebody enables it.
done-enabled = It is enabled and works again.
done-overlap = The old secret has ended. Only the new one works.
done-revoked = Revoked. It is refused here at once, and on every other node within a second.
done-rotated = Rotated. The new key is published and signs in ten minutes; nothing stops working.
done-replaced = Replaced. What the keys before have signed is refused from now on.
done-made = Made.
done-removed = Removed. Nothing of what they held here works any more.
done-withdrawn = Withdrawn. Its link works no more.
done-deleted = Deleted.
done-passkey = Your passkey is added. Sign in with it the next time.
done-passkey-removed = The passkey is removed. All other browsers are signed out.

## Trouble
trouble-title = That did not work
trouble-form = This page was open for too long, or your browser keeps no cookies. Nothing was changed: go back, reload the page and try again.
trouble-unreadable = What your browser sent could not be read.
trouble-link = This link was used already, is too old, or is not complete. Ask for a new one.
trouble-portal = This page was open for too long or was left, its link was used already, or your browser keeps no cookies here. Go back to where you came from and open it again.
trouble-withheld = This is not yours to do: it wants more rights than you have here, or concerns somebody who reaches the whole instance. Nothing was changed.
trouble-absent = There is no such page, or not for you.
trouble-method = This address takes what a form sends, and is no page to open. Go back and use the form.
trouble-provider = The other service does not answer, or not as it should. Try again in a moment, or sign in with your password.
trouble-provider-not-ours = This sign-in was not begun in this browser, took too long, or was used already. Begin again.
trouble-provider-denied = The other service did not let you in. Begin again, or sign in with your password.
trouble-provider-unverified = The other service has not confirmed your e-mail address, so it cannot tell us who you are here. Have it confirm the address, then sign in again.
trouble-provider-unknown = Nobody here may sign in as whom the other service told us. Ask an administrator for an account, or for an invitation.
trouble-provider-not-proven = The other service did not show that you are the person who is signed in here. Try again, with the same account.
trouble-throttled = Too many tries. Wait a few minutes and try again.
trouble-busy = Too much to do right now. Try again in a moment.
trouble-defect = Something is broken on our side. The log says more.
