## Signing in
sign-in-title = Inloggen
sign-in = Inloggen
sign-in-failed = Adres en wachtwoord horen niet bij elkaar. Controleer beide; wacht na enkele pogingen even.
email = E-mailadres
password = Wachtwoord
other-ways = Andere manieren om in te loggen
sign-in-with = Inloggen met { $name }
provider-leaving = U gaat verder naar { $name }, en komt daarvandaan terug.
forgot-password = Wachtwoord vergeten? Een beheerder kan een link naar een nieuw wachtwoord voor u maken.
second-factor-title = Tweede stap
second-factor-hint = Typ de zes cijfers die uw authenticator-app toont. Kunt u de app niet gebruiken, typ dan een van uw herstelcodes.
code = Code
code-wrong = Deze code telt niet: hij is fout, te oud of al gebruikt. Wacht op de volgende.
start-again = Opnieuw beginnen
again-title = Bent u het nog?
again-why = Wat u gaat doen, blijft. Bewijs nog één keer wie u bent.
again-other-way = Uw account heeft geen wachtwoord en geen app. Log uit, en weer in zoals u kwam.
again-wrong = Wachtwoord of code telt niet. Controleer beide; wacht op de volgende code.
link-for = Met deze link logt u in als { $name }. Hij werkt één keer.

## Passwords
password-current = Huidig wachtwoord
password-new = Nieuw wachtwoord
password-new-again = Nieuw wachtwoord, nog een keer
password-change = Nieuw wachtwoord instellen
password-rules = Minstens 12 tekens. Een paar woorden die niets met elkaar te maken hebben zijn een goed wachtwoord; cijfers en leestekens hoeven niet.
password-ends-sessions = Alle andere browsers worden uitgelogd.
password-wrong = Dit is niet uw wachtwoord.
password-differs = De twee nieuwe wachtwoorden verschillen.
password-too-short = Het nieuwe wachtwoord is te kort: minstens 12 tekens.
password-too-long = Het nieuwe wachtwoord is te lang: hoogstens 256 tekens.
password-weak = Het nieuwe wachtwoord is snel geraden. Maak het langer, bijvoorbeeld een paar woorden die niets met elkaar te maken hebben.
password-reset-title = Kies een wachtwoord
password-reset-for = Voor { $name }

## Invitations
invitation-title = Een uitnodiging
invitation-to = U bent uitgenodigd bij { $name }
invitation-accept = Meedoen
invitation-known = Het adres { $name } heeft hier een account. Log in om mee te doen.
invitation-other-account = Ik heb een account onder een ander adres
your-name = Uw naam
name-wrong = Een naam is 1 tot 100 zichtbare tekens.

## Security
security-title = Beveiliging
authenticator-title = Authenticator-app
authenticator-on = Aan sinds { $since }.
authenticator-off = Uit. Met een app opent een gestolen wachtwoord alleen niets.
authenticator-add = Een app instellen
authenticator-remove = De app verwijderen
authenticator-scan = Scan deze afbeelding met uw authenticator-app.
authenticator-picture = QR-code voor de authenticator-app
authenticator-type = Of typ dit in de app:
authenticator-code = Typ daarna de code die de app toont
authenticator-enable = Inschakelen
recovery-codes-left = { $count ->
    [0] U hebt geen herstelcodes meer.
    [one] U hebt nog één herstelcode.
   *[other] U hebt nog { $count } herstelcodes.
}
recovery-codes-make = Nieuwe herstelcodes maken
recovery-codes-title = Uw herstelcodes
recovery-codes-why = Elk van deze codes vervangt de app één keer, als u die kwijtraakt. Ze worden alleen nu getoond: bewaar ze waar u ze zonder telefoon terugvindt.
recovery-codes-kept = Ik heb ze bewaard
sessions-title = Waar u bent ingelogd
session-browser = Browser
session-address = Adres
session-started = Sinds
session-used = Laatst gebruikt
session-this = Hier uitloggen
session-end = Daar uitloggen
session-end-others = Overal elders uitloggen
