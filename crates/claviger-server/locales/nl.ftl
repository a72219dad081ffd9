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

## Navigation
skip = Naar de inhoud
menu = Menu
menu-close = Sluiten
navigation = Navigatie
nav-organization = Organisatie
nav-overview = Overzicht
nav-api-keys = API-sleutels
nav-account = Uw account
nav-tokens = Persoonlijke toegangstokens
nav-approvals = Goedkeuringen
organizations-title = Organisaties
organizations-all = Alle organisaties
crumbs = Waar deze pagina is
pages = Pagina’s van de lijst
page-first = Eerste pagina
page-next = Volgende pagina
search = Zoek op naam
state = Status
order = Volgorde
filter = Toepassen
filter-clear = Alles tonen
copy = Kopiëren
copied = Gekopieerd
save = Opslaan
never = nooit

## Times
time-now = zojuist
time-minutes-ago = { $count ->
    [one] 1 minuut geleden
   *[other] { $count } minuten geleden
}
time-minutes-ahead = { $count ->
    [one] over 1 minuut
   *[other] over { $count } minuten
}
time-hours-ago = { $count ->
    [one] 1 uur geleden
   *[other] { $count } uur geleden
}
time-hours-ahead = { $count ->
    [one] over 1 uur
   *[other] over { $count } uur
}
time-days-ago = { $count ->
    [one] 1 dag geleden
   *[other] { $count } dagen geleden
}
time-days-ahead = { $count ->
    [one] over 1 dag
   *[other] over { $count } dagen
}
time-months-ago = { $count ->
    [one] 1 maand geleden
   *[other] { $count } maanden geleden
}
time-months-ahead = { $count ->
    [one] over 1 maand
   *[other] over { $count } maanden
}
time-years-ago = { $count ->
    [one] 1 jaar geleden
   *[other] { $count } jaar geleden
}
time-years-ahead = { $count ->
    [one] over 1 jaar
   *[other] over { $count } jaar
}

## Done
done-changed = Klaar. Alle andere browsers zijn uitgelogd.
done-saved = Opgeslagen. Het geldt vanaf nu.
done-once = Dit formulier is al eerder verstuurd; er is niets nieuws gemaakt. Het geheim is toen getoond en wordt niet nog eens getoond.
done-disabled = Uitgeschakeld: vanaf nu geweigerd, tot iemand het inschakelt.
done-enabled = Ingeschakeld; het werkt weer.
done-overlap = Het oude geheim is beëindigd. Alleen het nieuwe werkt.
done-revoked = Ingetrokken. Het wordt hier meteen geweigerd, en op elke andere node binnen een seconde.

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

## States
status-active = Actief
status-revoked = Ingetrokken
status-disabled = Uitgeschakeld
status-expired = Verlopen
status-not-yet-valid = Nog niet geldig
status-pending-approval = Wacht op goedkeuring
rolling = twee geheimen
filter-any-state = Alle
filter-soon = Loopt binnen 14 dagen af
filter-idle = 90 dagen niet gebruikt
filter-endless = Loopt nooit af
filter-rolling = Oud geheim werkt nog
order-newest = Nieuwste eerst
order-oldest = Oudste eerst
order-name = Op naam
order-end = Loopt eerst af

## API keys
keys-what = Waarmee programma’s en integraties van deze organisatie zich identificeren.
keys-none = Nog geen API-sleutels
keys-none-what = Met een sleutel kan één programma uw API’s aanroepen, met precies de rechten die u kiest. U kunt hem zonder onderbreking vernieuwen en op elk moment intrekken.
keys-none-such = Niets gevonden
keys-none-such-what = Niets komt overeen met wat u zoekt.
service-account = Serviceaccount
key-new = Nieuwe API-sleutel
key-new-title = Nieuwe API-sleutel
key-new-what = Het geheim wordt één keer getoond, op de volgende pagina.
whose-title = Van wie wordt de sleutel?
whose-what = Een serviceaccount staat voor één programma of integratie. Zijn sleutels kunnen niet meer dan wat het zelf mag.
whose-other = kies een ander
account-new = Nieuw serviceaccount
account-name = Naam van het nieuwe serviceaccount
account-name-hint = Het programma dat de sleutel gaat gebruiken, zoals ‘factuursync’. Het krijgt precies de rechten die u hieronder kiest.
accounts-none-such = Geen serviceaccount heet zo.
accounts-more = Er zijn er meer: zoek er een op naam.

## Tokens
tokens-what = Met een token handelen uw eigen scripts en hulpmiddelen namens u, met wat u ze toestaat.
tokens-none = Nog geen tokens
tokens-none-what = Maak er een per hulpmiddel, zodat u er een kunt beëindigen zonder de andere.
token-new = Nieuw token
token-new-title = Nieuw persoonlijk toegangstoken
token-new-what = Het kan nooit meer dan u. Het geheim wordt één keer getoond, op de volgende pagina.
where-title = In welke organisatie?
where-what = Een token werkt in één organisatie.
where-other = kies een andere

## The form of a key or token
form-wrong = Dit kan nog niet worden opgeslagen:
form-cut = Wat u typte, was te lang om tijdens het inloggen te bewaren. Alleen namen staan er nog: vul de rest opnieuw in.
form-name = Naam
form-name-hint = Waar het voor is en waar het bewaard wordt: ‘productieserver’ zegt meer dan ‘sleutel 2’.
form-environment = Omgeving
form-live = Live
form-test = Test
form-test-hint = De tekst zelf zegt het, en API’s kunnen het apart behandelen.
environment-test = Test
form-permissions = Rechten
form-permissions-hint = Kies alleen wat nodig is: meer kan een dief niet.
form-permissions-none = Hier valt niets te geven: er is geen recht dat u kunt geven.
form-filter = Rechten filteren
picker-every-api = Alles wat de eigenaar in de API’s mag, nu en later
picker-every-builtin = Alles wat de eigenaar in Claviger mag, nu en later
picker-lost = Zonder werking
picker-lost-what = De eigenaar heeft dit niet meer.
form-life = Loopt af
form-days = { $count ->
    [one] over 1 dag
   *[other] over { $count } dagen
}
form-on-a-date = op een datum…
form-never = nooit
form-keep-end = zoals het is: { $when }
form-keep-endless = zoals het is: nooit
form-until = Laatste dag
form-until-hint = Alleen bij ‘op een datum’: het werkt tot het einde van die dag, UTC.
form-restrictions = Beperkingen
form-objects = Alleen op deze objecten
form-objects-hint = Eén per regel, zoals base:app7 of repo:acme/*. Leeg: alle objecten.
form-objects-required = De organisatie wil dat hier objecten worden genoemd.
form-networks = Alleen vanaf deze netwerken
form-networks-hint = Eén per regel, zoals 203.0.113.0/24. Leeg: van overal.
form-rate = Hoogstens zo vaak
form-quota = Hoogstens zo vaak in een kalenderperiode
form-limits-kept = Het heeft meerdere limieten, die u met de API of de opdrachtregel kunt wijzigen. Ze blijven zoals ze zijn.
per-second = per seconde
per-minute = per minuut
per-hour = per uur
per-day = per dag
per-month = per maand
quota-per-day = { $count } per kalenderdag
quota-per-month = { $count } per kalendermaand
form-life-wrong = Kies een einde uit de lijst.
form-date-wrong = Geef de laatste dag als datum.
form-date-unused = Een laatste dag telt alleen bij ‘op een datum’. Kies dat, of laat de dag leeg.
form-end-required = De organisatie wil een einde.
form-end-past = De laatste dag ligt in het verleden.
form-end-late = Dit loopt later af dan de organisatie toestaat.
form-number-wrong = Een limiet is een geheel getal vanaf 1, of niets.
form-too-many = Dit zijn te veel rechten voor één lijst.
form-permissions-choose = Kies ten minste één recht.
form-permission-wrong = { $name } kan niet worden gegeven: de eigenaar heeft het niet, of de regels van de organisatie verbieden het.
form-object-wrong = { $name } is geen object: schrijf het type, een dubbele punt en de id, zoals base:app7. Hoogstens 100.
form-network-wrong = { $name } is geen netwerk: schrijf het als 203.0.113.0/24. Hoogstens 100.
form-beyond = Dit mag u niet geven: daarvoor is { $permission } nodig, en dat hebt u daar niet.
form-kind = De regels van de organisatie staan dit soort toegangsbewijs niet toe.
form-pending = Het wacht zoals het is op goedkeuring. Maak een ander, of wijzig het na de goedkeuring.
form-revoked = Het is intussen ingetrokken, en dat is definitief. Maak een ander.
form-expired = Het is verlopen. Geef het eerst een later einde.
form-refused = Dit is niet mogelijk. Kijk nog eens; misschien is er intussen iets veranderd.

## A secret, once
made-key = Uw nieuwe API-sleutel
made-token = Uw nieuwe token
made-once = Dit geheim wordt alleen nu getoond.
made-keep = Bewaar het waar het programma het vindt, zoals een geheimenkluis. Niemand kan het nog eens tonen; raakt het kwijt, vernieuw het dan.
made-secret = Geheim
made-try = Probeer het
made-stored = Ik heb het bewaard
made-waits = Het werkt zodra iemand het heeft goedgekeurd.

## One key or token
secrets = De geheimen
secret = Geheim
made = Gemaakt
ends = Loopt af
last-used = Laatst gebruikt
used-from = vanaf { $address }
generation-current = Huidig
generation-retiring = Werkt nog
generation-retired = Beëindigd
rolling-title = Het oude geheim werkt nog
rolling-what = Beëindig het zodra niemand het meer gebruikt: de tabel hierboven zegt wanneer en vanwaar het het laatst is gebruikt.
rolling-end = Beëindig het oude geheim nu
usage-title = Gebruik in de laatste 30 dagen
usage-none = Niet gebruikt in deze dagen.
usage-valid = { $count } aanvaard
usage-throttled = { $count } te veel
usage-refused = { $count } geweigerd
facts-title = Wat het is
limits = Hoe vaak
limits-none = Geen eigen limiet
bound = Bewijs
bound-what = Het werkt alleen samen met de sleutel of het certificaat waaraan het gebonden is.
history-title = Geschiedenis
by-system = Claviger zelf
event-created = Gemaakt
event-updated = Gewijzigd
event-disabled = Uitgeschakeld
event-enabled = Ingeschakeld
event-approved = Goedgekeurd
event-denied = Geweigerd
event-rolled = Kreeg een nieuw geheim
event-overlap-ended = Het oude geheim is eerder beëindigd
event-revoked = Ingetrokken
event-retired-secret-used = Iemand gebruikte een beëindigd geheim
revoked-final = Definitief ingetrokken.
disabled-for-now = Voorlopig uitgeschakeld.
disable = Uitschakelen
disable-for-good = Wie het weer inschakelt, moet zelf alles mogen wat het mag. Dat mag u niet: u kunt het uitschakelen, maar niet weer inschakelen.
enable = Inschakelen
edit = Bewerken
edit-title = Bewerken
edit-what = Wat het verliest, verliest het meteen en overal. Het geheim blijft hetzelfde.
edit-changed-meanwhile = Iemand anders heeft het intussen gewijzigd. Waar uw invoer afwijkt, staat ernaast wat er nu is. Opslaan zet de uwe ervoor in de plaats.
edit-now = Nu staat er: { $value }
roll = Vernieuwen
roll-title = Een nieuw geheim
roll-what = De id, de rechten en de geschiedenis blijven. Het oude geheim werkt nog zo lang als u kiest, zodat u het nieuwe zonder onderbreking kunt invoeren.
roll-ends-older = Er werkt nog een ouder geheim. Dat wordt nu beëindigd.
roll-meanwhile = Iemand anders heeft intussen een nieuw geheim gemaakt, op { $when }. Er is verder niets gemaakt. Nog eens vernieuwen beëindigt elk geheim behalve dat en het uwe; misschien gebruiken programma’s er nog een.
roll-overlap = Het oude geheim werkt nog
roll-do = Maak het nieuwe geheim
overlap-none = helemaal niet: het wordt nu beëindigd
overlap-hour = één uur
overlap-day = één dag
overlap-week = één week
overlap-month = 30 dagen
revoke = Intrekken
revoke-key = Deze sleutel intrekken?
revoke-token = Dit token intrekken?
revoke-what = Alles wat het gebruikt, werkt meteen niet meer. Dit is definitief.
revoke-reason = Reden
revoke-do = Definitief intrekken
reason-unspecified = Niet genoemd
reason-superseded = Een ander kwam ervoor in de plaats
reason-compromised = Iemand anders kan het hebben
reason-owner-left = De eigenaar is weg
reason-policy = Een regel beëindigde het
reason-unused = Niemand gebruikt het

## Trouble
trouble-title = Dat lukte niet
trouble-form = Deze pagina stond te lang open, of uw browser bewaart geen cookies. Er is niets veranderd: ga terug, laad de pagina opnieuw en probeer het nog eens.
trouble-unreadable = Wat uw browser stuurde, was niet te lezen.
trouble-link = Deze link is al gebruikt, te oud of niet volledig. Vraag om een nieuwe.
trouble-portal = Deze pagina stond te lang open of is verlaten, de link is al gebruikt, of uw browser bewaart hier geen cookies. Ga terug naar waar u vandaan kwam en open haar opnieuw.
trouble-withheld = Dit mag u niet doen: er zijn meer rechten voor nodig dan u hier hebt, of het gaat om iemand met rechten in de hele installatie. Er is niets gewijzigd.
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
