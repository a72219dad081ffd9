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
