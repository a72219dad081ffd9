## Frame
signed-in-as = Ingelogd als { $name }
sign-out = Uitloggen
languages = Talen
back = Terug naar het begin
cancel = Annuleren
continue = Verder

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
changed = Gedaan. Alle andere browsers zijn uitgelogd.
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

## Start
start-title = Begin
start-hello = Hallo, { $name }
organizations = Uw organisaties
organizations-none = U hoort nog bij geen organisatie. Vraag wie u hierheen stuurde om een uitnodiging.

## Portal
portal-title = Uw toegang
portal-in = Uw toegang tot { $name }
portal-back = Terug
portal-leave = Verlaten
portal-left = U hebt deze pagina verlaten.

## Approvals
approvals-title = Tokens die op goedkeuring wachten
approvals-none = Er wacht niets op u.
approvals-more = Er zijn er meer: dit zijn de nieuwste.
approvals-waiting = { $count ->
    [one] Eén token wacht op uw goedkeuring.
   *[other] { $count } tokens wachten op uw goedkeuring.
}
approval-title = Mag dit token werken?
approval-name = Naam
approval-owner = Van wie het is
approval-address-claimed = Niemand heeft laten zien dat dit adres van hen is: er is alleen een uitnodiging ervoor aangenomen.
approval-maker = Gemaakt door
approval-by-owner = de gebruiker zelf
approval-by-operator = de beheerder van deze instantie
approval-organization = Organisatie
approval-permissions = Wat het mag
approval-permissions-none = Niets
approval-every-api = Alles wat de gebruiker in de API’s mag, nu en later
approval-every-builtin = Alles wat de gebruiker in Claviger mag, nu en later
approval-at-present = Op dit moment is dat:
approval-at-present-none = Op dit moment is dat niets.
approval-objects = Op welke objecten
approval-objects-all = Alle objecten
approval-networks = Waarvandaan
approval-networks-all = Overal vandaan
approval-starts = Vanaf
approval-ends = Tot
approval-ends-never = Het eindigt nooit
approval-since = Gevraagd
approval-look-alike = Kijk goed: een andere sleutel of een ander token van deze organisatie heeft een naam die hierop lijkt, of dezelfde naam en een andere eigenaar.
approval-reaches-further = De gebruiker beheert de hele instantie. Alleen wie dat ook doet, kan beslissen.
approval-approve = Goedkeuren
approval-deny = Afwijzen
approval-approved = Goedgekeurd door { $name }. Er valt niets meer te beslissen.
approval-denied = Afgewezen: het is beëindigd en heeft nooit gewerkt.
approval-ended = Het eindigde voordat iemand besliste, en heeft nooit gewerkt.

## Devices
device-code-title = Een apparaat verbinden
device-code = Code van het apparaat
device-code-hint = De acht letters die uw apparaat toont. Met of zonder streepje, in hoofdletters of niet.
device-code-wrong = Deze code telt niet: hij is fout of te oud. Kijk op uw apparaat, of begin daar opnieuw.
device-title = Mag dit apparaat namens u handelen?
device-warning = Bent u hier zelf mee begonnen, zojuist, op dit apparaat? Als iemand u de code of het adres van deze pagina heeft gestuurd, wijs het dan af: die zou in uw naam handelen.
device-client = Programma
device-client-cli = De opdrachtregel van Claviger
device-client-of = van { $name }
device-name = Hoe het apparaat zichzelf noemt
device-address = Vanaf het adres
device-age = { $count ->
    [0] Minder dan een minuut geleden
    [one] Eén minuut geleden
   *[other] { $count } minuten geleden
}
device-choose = In welke organisatie?
device-other-organizations = Of in een andere:
device-everywhere = Het apparaat zou alle organisaties van deze instantie bereiken, en niet alleen deze, met:
device-left-out = Ook gevraagd, maar u hebt het daar niet, dus het blijft weg:
device-wants-approval = { $name } wil elk token goedkeuren: dit werkt zodra een beheerder het heeft goedgekeurd.
device-nothing = U hebt niets van wat dit apparaat vraagt. U kunt het niet goedkeuren; wijs het af, of vraag een beheerder.
device-refused = De regels van de organisatie staan dit token niet toe.
device-approved = Goedgekeurd. Ga terug naar uw apparaat: het gaat vanzelf verder. Bent u er niet zelf mee begonnen, wijs het dan nu af.
device-redeemed = Goedgekeurd, en het apparaat heeft zijn token. Was dat een vergissing, trek het dan in bij uw tokens.
device-by-other = Iemand anders heeft dit goedgekeurd: het apparaat handelt in diens naam en niet in de uwe. Was dat niet de bedoeling, begin dan opnieuw op het apparaat.
device-denied = Afgewezen. Het apparaat krijgt niets.

## Trouble
trouble-title = Dat lukte niet
trouble-form = Deze pagina stond te lang open, of uw browser bewaart geen cookies. Er is niets veranderd: ga terug, laad de pagina opnieuw en probeer het nog eens.
trouble-unreadable = Wat uw browser stuurde, was niet te lezen.
trouble-link = Deze link is al gebruikt, te oud of niet volledig. Vraag om een nieuwe.
trouble-portal = Deze pagina stond te lang open of is verlaten, de link is al gebruikt, of uw browser bewaart hier geen cookies. Ga terug naar waar u vandaan kwam en open haar opnieuw.
trouble-absent = Deze pagina is er niet, of niet voor u.
trouble-provider = De andere dienst antwoordt niet, of niet zoals het hoort. Probeer het zo meteen opnieuw, of log in met uw wachtwoord.
trouble-provider-not-ours = Dit inloggen is niet in deze browser begonnen, duurde te lang of is al gebruikt. Begin opnieuw.
trouble-provider-denied = De andere dienst liet u niet binnen. Begin opnieuw, of log in met uw wachtwoord.
trouble-provider-unverified = De andere dienst heeft uw e-mailadres niet bevestigd en kan ons dus niet zeggen wie u hier bent. Laat het adres daar bevestigen en log opnieuw in.
trouble-provider-unknown = Met wat de andere dienst over u zei, mag hier niemand inloggen. Vraag een beheerder om een account of een uitnodiging.
trouble-provider-not-proven = De andere dienst heeft niet aangetoond dat u degene bent die hier is ingelogd. Probeer het opnieuw met hetzelfde account.
trouble-throttled = Te veel pogingen. Wacht enkele minuten en probeer het opnieuw.
trouble-busy = Nu is er te veel te doen. Probeer het zo meteen opnieuw.
trouble-defect = Bij ons is iets stuk. Het log zegt meer.
