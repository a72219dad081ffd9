## Frame
signed-in-as = Signed in as { $name }
sign-out = Sign out
languages = Languages
back = Back to the start
cancel = Cancel
continue = Continue

## Signing in
sign-in-title = Sign in
sign-in = Sign in
sign-in-failed = Address and password do not go together. Check both; after a few tries, wait a moment.
email = E-mail address
password = Password
other-ways = Other ways to sign in
sign-in-with = Sign in with { $name }
provider-leaving = You go on to { $name }, and come back from there.
forgot-password = Forgot your password? An administrator can make you a link to a new one.
second-factor-title = Second step
second-factor-hint = Type the six digits that your authenticator app shows. If you cannot use the app, type one of your recovery codes.
code = Code
code-wrong = This code does not count: it is wrong, too old, or used already. Wait for the next one.
start-again = Start again
again-title = Is it still you?
again-why = What you are about to do lasts. Please prove once more who you are.
again-other-way = Your account has neither a password nor an app. Sign out, and in again the way you came.
again-wrong = Password or code does not count. Check both; wait for the next code.
link-for = This link signs you in as { $name }. It works once.

## Passwords
password-current = Current password
password-new = New password
password-new-again = New password, once more
password-change = Set the new password
password-rules = At least 12 characters. A few words that have nothing in common are a good password; digits and signs are not needed.
password-ends-sessions = All other browsers are signed out.
password-wrong = This is not your password.
password-differs = The two new passwords differ.
password-too-short = The new password is too short: at least 12 characters.
password-too-long = The new password is too long: at most 256 characters.
password-weak = The new password would be guessed quickly. Make it longer, such as a few words that have nothing in common.
password-reset-title = Choose a password
password-reset-for = For { $name }

## Invitations
invitation-title = An invitation
invitation-to = You are invited to { $name }
invitation-accept = Join
invitation-known = The address { $name } has an account here. Sign in to join.
invitation-other-account = I have an account under another address
your-name = Your name
name-wrong = A name is 1 to 100 characters that can be seen.

## Security
security-title = Security
authenticator-title = Authenticator app
authenticator-on = On since { $since }.
authenticator-off = Off. With an app, a stolen password alone opens nothing.
authenticator-add = Set up an app
authenticator-remove = Remove the app
authenticator-scan = Scan this picture with your authenticator app.
authenticator-picture = QR code for the authenticator app
authenticator-type = Or type this into the app:
authenticator-code = Then type the code that the app shows
authenticator-enable = Switch on
recovery-codes-left = { $count ->
    [0] You have no recovery codes left.
    [one] You have one recovery code left.
   *[other] You have { $count } recovery codes left.
}
recovery-codes-make = Make new recovery codes
recovery-codes-title = Your recovery codes
recovery-codes-why = Each of these codes replaces the app once, if you lose it. They are shown only now: keep them where you will find them without your phone.
recovery-codes-kept = I have kept them
sessions-title = Where you are signed in
session-browser = Browser
session-address = Address
session-started = Since
session-used = Last used
session-this = Sign out here
session-end = Sign out there
session-end-others = Sign out everywhere else

## Start
start-title = Start
start-hello = Hello, { $name }
organizations = Your organizations
organizations-none = You do not belong to an organization yet. Ask whoever sent you here for an invitation.

## Portal
portal-title = Your access
portal-in = Your access to { $name }
portal-back = Back
portal-leave = Leave
portal-left = You have left this page.

## Approvals
approvals-title = Tokens that wait for an approval
approvals-none = Nothing waits for you.
approvals-more = There are more: these are the newest.
approvals-waiting = { $count ->
    [one] One token waits for your approval.
   *[other] { $count } tokens wait for your approval.
}
approval-title = May this token work?
approval-name = Name
approval-owner = Whose it is
approval-address-claimed = Nobody has shown that this address is theirs: they only accepted an invitation to it.
approval-maker = Made by
approval-by-owner = themselves
approval-by-operator = the operator of this instance
approval-organization = Organization
approval-permissions = What it may do
approval-permissions-none = Nothing
approval-every-api = Everything that its user may do in the APIs, now and later
approval-every-builtin = Everything that its user may do in Claviger, now and later
approval-at-present = At present, that is:
approval-at-present-none = At present, that is nothing.
approval-objects = On which objects
approval-objects-all = All objects
approval-networks = From where
approval-networks-all = From anywhere
approval-starts = From when on
approval-ends = Until
approval-ends-never = It never ends
approval-since = Asked
approval-look-alike = Look closely: another credential of this organization has a name that looks like this one, or the same name and another owner.
approval-reaches-further = Its user administers the whole instance, so only somebody who does the same can decide.
approval-approve = Approve
approval-deny = Deny
approval-approved = Approved by { $name }. There is nothing left to decide.
approval-denied = Denied: it has ended, and never worked.
approval-ended = It has ended before anybody decided, and never worked.

## Devices
device-code-title = Connect a device
device-code = Code of the device
device-code-hint = Eight letters that your device shows. With the dash or without, in capitals or not.
device-code-wrong = This code does not count: it is wrong, or too old. Look at your device, or begin there again.
device-title = May this device act for you?
device-warning = Did you begin this yourself, just now, on this device? If somebody sent you the code or the address of this page, deny it: they would act in your name.
device-client = Program
device-client-cli = Claviger’s command line
device-client-of = of { $name }
device-name = What the device calls itself
device-address = From the address
device-age = { $count ->
    [0] Less than a minute ago
    [one] One minute ago
   *[other] { $count } minutes ago
}
device-choose = In which organization?
device-other-organizations = Or in another one:
device-everywhere = The device would reach all organizations of this instance, and not this one alone, with:
device-left-out = Asked for as well, but you do not hold it there, so it is left out:
device-wants-approval = { $name } wants an approval of every token: this one works once an administrator has approved it.
device-nothing = You hold nothing of what this device asks for. You cannot approve it; deny it, or ask an administrator.
device-refused = The rules of the organization do not allow this token.
device-approved = Approved. Go back to your device: it goes on by itself. If it was not you who began it, deny it now.
device-redeemed = Approved, and the device has its token. If that was a mistake, revoke it among your tokens.
device-by-other = Somebody else approved this: the device acts in their name and not in yours. If you did not mean that, begin again on the device.
device-denied = Denied. The device gets nothing.

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
done-once = This form was sent before, so nothing more was made. The secret was shown then, and is not shown again.
done-disabled = It is disabled: refused from now on, until somebody enables it.
done-enabled = It is enabled and works again.
done-overlap = The old secret has ended. Only the new one works.
done-revoked = Revoked. It is refused here at once, and on every other node within a second.

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

## States
status-active = Active
status-revoked = Revoked
status-disabled = Disabled
status-expired = Expired
status-not-yet-valid = Not yet valid
status-pending-approval = Waits for approval
rolling = two secrets
filter-any-state = Any
filter-soon = Ends within 14 days
filter-idle = Not used for 90 days
filter-endless = Never ends
filter-rolling = Old secret still works
order-newest = Newest first
order-oldest = Oldest first
order-name = By name
order-end = Ends next

## API keys
keys-what = What programs and integrations of this organization prove themselves with.
keys-none = No API keys yet
keys-none-what = A key lets one program call your APIs, with just the permissions that you choose. You can roll it without downtime and revoke it at any moment.
keys-none-such = Nothing found
keys-none-such-what = Nothing here matches what you look for.
service-account = Service account
key-new = New API key
key-new-title = New API key
key-new-what = Its secret is shown once, on the next page.
whose-title = Whose key will it be?
whose-what = A service account stands for one program or integration. Its keys can do no more than it holds.
whose-other = choose another
account-new = New service account
account-name = Name of the new service account
account-name-hint = The program that will use the key, such as “billing sync”. It gets just the permissions that you choose below.
accounts-none-such = No service account is called like this.
accounts-more = There are more: look for one by its name.

## Tokens
tokens-what = With a token, your own scripts and tools act as you, with what you let them do.
tokens-none = No tokens yet
tokens-none-what = Make one for each tool, so that you can end one without the others.
token-new = New token
token-new-title = New personal access token
token-new-what = It can do no more than you, at any moment. Its secret is shown once, on the next page.
where-title = In which organization?
where-what = A token acts in one organization only.
where-other = choose another

## The form of a key or token
form-wrong = This cannot be saved yet:
form-cut = What you typed was too long to keep while you signed in. Only names are still here: fill in the rest again.
form-name = Name
form-name-hint = What it is for, and where it is kept: “production server” says more than “key 2”.
form-environment = Environment
form-live = Live
form-test = Test
form-test-hint = Its text says so, and APIs can treat it apart.
environment-test = Test
form-permissions = Permissions
form-permissions-hint = Choose only what is needed: that is all that a thief could do.
form-permissions-none = There is nothing to give here: it holds no permission that you can give.
form-filter = Filter permissions
picker-every-api = Everything that its owner may do in the APIs, now and later
picker-every-builtin = Everything that its owner may do in Claviger, now and later
picker-lost = Not effective
picker-lost-what = Its owner does not hold this any more.
form-life = Ends
form-days = { $count ->
    [one] in 1 day
   *[other] in { $count } days
}
form-on-a-date = on a date…
form-never = never
form-keep-end = as it is: { $when }
form-keep-endless = as it is: never
form-until = Last day
form-until-hint = Only for “on a date”: it works until the end of that day, UTC.
form-restrictions = Restrictions
form-objects = Only on these objects
form-objects-hint = One per line, such as base:app7 or repo:acme/*. Empty: all objects.
form-objects-required = The organization wants objects to be named here.
form-networks = Only from these networks
form-networks-hint = One per line, such as 203.0.113.0/24. Empty: from anywhere.
form-rate = At most so often
form-quota = At most so often in a calendar period
form-limits-kept = It has several rate limits, which the API or the command line can change. They stay as they are.
per-second = per second
per-minute = per minute
per-hour = per hour
per-day = per day
per-month = per month
quota-per-day = { $count } per calendar day
quota-per-month = { $count } per calendar month
form-life-wrong = Choose one of the ends in the list.
form-date-wrong = Give the last day as a date.
form-date-unused = A last day counts only with “on a date”. Choose that, or leave the day empty.
form-end-required = The organization wants an end.
form-end-past = The last day is in the past.
form-end-late = This ends later than the organization allows.
form-number-wrong = A limit is a whole number from 1 on, or nothing.
form-too-many = These are too many permissions for one list.
form-permissions-choose = Choose at least one permission.
form-permission-wrong = { $name } cannot be given: its owner does not hold it, or the rules of the organization forbid it.
form-object-wrong = { $name } is not an object: write its type, a colon and its id, such as base:app7. At most 100.
form-network-wrong = { $name } is not a network: write it such as 203.0.113.0/24. At most 100.
form-beyond = You may not give this: it needs { $permission }, which you do not hold there.
form-kind = The rules of the organization do not allow this kind of credential.
form-pending = It waits for an approval as it is. Make another one, or change it once it is approved.
form-revoked = It was revoked meanwhile, which is final. Make another one.
form-expired = It has expired. Give it a later end first.
form-refused = This is not possible. Look at it again; perhaps something changed meanwhile.

## A secret, once
made-key = Your new API key
made-token = Your new token
made-once = This secret is shown only now.
made-keep = Put it where the program finds it, such as a secret store. Nobody can show it again; if it gets lost, roll the key.
made-secret = Secret
made-try = Try it
made-stored = I have stored it
made-waits = It works once somebody has approved it.

## One key or token
secrets = Its secrets
secret = Secret
made = Made
ends = Ends
last-used = Last used
used-from = from { $address }
generation-current = Current
generation-retiring = Still works
generation-retired = Ended
rolling-title = The old secret still works
rolling-what = Once nobody uses it any more, end it: the table above says when and from where it was used last.
rolling-end = End the old secret now
usage-title = Use in the last 30 days
usage-none = Not used in these days.
usage-valid = { $count } accepted
usage-throttled = { $count } too many
usage-refused = { $count } refused
facts-title = What it is
limits = How often
limits-none = No limit of its own
bound = Proof
bound-what = It works only together with the key or certificate that it is bound to.
history-title = History
by-system = Claviger itself
event-created = Made
event-updated = Changed
event-disabled = Disabled
event-enabled = Enabled
event-approved = Approved
event-denied = Denied
event-rolled = Got a new secret
event-overlap-ended = The old secret was ended early
event-revoked = Revoked
event-retired-secret-used = Somebody used a secret that had ended
revoked-final = Revoked for good.
disabled-for-now = Disabled for now.
disable = Disable
disable-for-good = Whoever enables it again needs what it may do. You do not hold all of that, so you can disable it and not enable it again.
enable = Enable
edit = Edit
edit-title = Edit
edit-what = What it loses, it loses at once, everywhere. The secret stays the same.
edit-changed-meanwhile = Somebody else changed it meanwhile. Where what you typed differs, what stands now is told beside it. Saving puts yours in its place.
edit-now = It is now: { $value }
roll = Roll
roll-title = A new secret
roll-what = It keeps its id, its permissions and its history. The old secret works on for as long as you choose, so that you can put the new one in place without downtime.
roll-ends-older = An older secret still works. It ends now.
roll-meanwhile = Somebody else made a new secret meanwhile, on { $when }. Nothing more was made. To roll again ends every secret but that one and yours; perhaps programs still use one.
roll-overlap = The old secret works on
roll-do = Make the new secret
overlap-none = not at all: it ends now
overlap-hour = for one hour
overlap-day = for one day
overlap-week = for one week
overlap-month = for 30 days
revoke = Revoke
revoke-key = Revoke this key?
revoke-token = Revoke this token?
revoke-what = Whatever uses it stops working at once. This is final.
revoke-reason = Reason
revoke-do = Revoke for good
reason-unspecified = Not said
reason-superseded = Another one took its place
reason-compromised = Somebody else may have it
reason-owner-left = Its owner left
reason-policy = A rule ended it
reason-unused = Nobody uses it

## Trouble
trouble-title = That did not work
trouble-form = This page was open for too long, or your browser keeps no cookies. Nothing was changed: go back, reload the page and try again.
trouble-unreadable = What your browser sent could not be read.
trouble-link = This link was used already, is too old, or is not complete. Ask for a new one.
trouble-portal = This page was open for too long or was left, its link was used already, or your browser keeps no cookies here. Go back to where you came from and open it again.
trouble-withheld = This is not yours to do: it wants more rights than you have here, or concerns somebody who reaches the whole instance. Nothing was changed.
trouble-absent = There is no such page, or not for you.
trouble-provider = The other service does not answer, or not as it should. Try again in a moment, or sign in with your password.
trouble-provider-not-ours = This sign-in was not begun in this browser, took too long, or was used already. Begin again.
trouble-provider-denied = The other service did not let you in. Begin again, or sign in with your password.
trouble-provider-unverified = The other service has not confirmed your e-mail address, so it cannot tell us who you are here. Have it confirm the address, then sign in again.
trouble-provider-unknown = Nobody here may sign in as whom the other service told us. Ask an administrator for an account, or for an invitation.
trouble-provider-not-proven = The other service did not show that you are the person who is signed in here. Try again, with the same account.
trouble-throttled = Too many tries. Wait a few minutes and try again.
trouble-busy = Too much to do right now. Try again in a moment.
trouble-defect = Something is broken on our side. The log says more.
