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
changed = Done. All other browsers are signed out.
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

## Trouble
trouble-title = That did not work
trouble-form = This page was open for too long, or your browser keeps no cookies. Nothing was changed: go back, reload the page and try again.
trouble-unreadable = What your browser sent could not be read.
trouble-link = This link was used already, is too old, or is not complete. Ask for a new one.
trouble-portal = This page was open for too long or was left, its link was used already, or your browser keeps no cookies here. Go back to where you came from and open it again.
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
