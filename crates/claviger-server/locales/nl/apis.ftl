## De lijst van API’s
nav-apis = API’s
apis-what = Waar sleutels en tokens voor zijn: elke API zegt wat er op haar toegestaan kan worden. Zij horen bij de hele instantie.
apis-search = Zoek op naam of identificatie
api-new = Nieuwe API
api-new-what = Meld een API van u aan, en wat er op haar toegestaan kan worden.
api-minutes = { $count ->
    [one] 1 minuut
   *[other] { $count } minuten
}
api-seconds = { $count ->
    [one] 1 seconde
   *[other] { $count } seconden
}

## Eén API
api-builtin-what = Dit is de eigen API van Claviger. Zij verandert alleen met de versie van Claviger.
api-permissions-none = Zij kent er nog geen, dus er kan niemand iets op toegestaan worden. Meld het eerste aan.
api-actions = Acties
api-identifier = Identificatie
api-life = Toegangstokens gelden
api-format = Toegangstokens zijn
api-format-jwt = ondertekende JWT’s
api-format-opaque = ondoorzichtig
api-algorithm = Ondertekend met
api-origins = Antwoordt op
api-gateway = Gateways
api-accepts-basic = Een toegangsbewijs mag komen als Authorization: Basic
api-accepts-query = Een toegangsbewijs mag komen in de queryparameter { $name }
api-servers = Bediend door
api-rules = Routeregels
api-rules-none = Geen: gateways die ernaar vragen, weigeren elk verzoek aan deze API.
api-rules-how = Regels worden gemaakt uit een OpenAPI-document, of één voor één geschreven. Een wijziging vervangt ze allemaal.
api-rule-request = Verzoek
api-rule-object = Object
api-rule-any = geen: wie geldig is
api-rule-filters = De API houdt zich zelf aan de objecten van het toegangsbewijs

## Het formulier van een API
api-change = API bewerken
api-change-what = Hoe haar tokens worden gemaakt, en waar een gateway een toegangsbewijs voor haar vindt.
api-name-hint = Hoe mensen haar noemen.
api-identifier-hint = Het publiek (audience) van haar tokens: een absolute URI, die voorgoed blijft.
api-identifier-wrong = Dit is geen identificatie: geef een absolute URI zonder fragment, zoals https://api.acme.test.
api-identifier-taken = Een andere API heeft deze identificatie al, of een die als dezelfde geldt.
api-permissions-hint = Eén per regel: de naam, en na een spatie wat het toestaat.
api-permission-wrong = { $name } is geen recht: schrijf het zoals invoices:read.
api-permission-taken = Een andere API kent een van deze al. Een recht hoort bij één API.
api-permission-twice = Het is al aangemeld.
api-permission-reserved = Wat met claviger: begint, hoort bij de eigen API van Claviger.
api-tokens = Toegangstokens
api-tokens-hint = Voor diensten die ze bij het tokenendpoint halen. API-sleutels en persoonlijke toegangstokens veranderen niet.
api-life-hint = Hoe korter, hoe eerder een controleur die nooit vraagt een wijziging ziet. Wat al bestaat, houdt zijn einde.
api-life-wrong = Kies een van de looptijden uit de lijst.
api-format-hint = Wie een JWT ontvangt, kan hem zelf controleren; over een ondoorzichtig token kan alleen Claviger iets zeggen.
api-algorithm-hint = Voor JWT’s. ES256 is goed, tenzij uw dienst alleen een ander kent.
api-origins-hint = Openbare origins, één per regel. Leeg: die van de identificatie. Bezitsbewijzen moeten voor een ervan zijn.
api-origin-wrong = { $name } is geen origin: schrijf het zoals https://api.acme.test. Hoogstens 20.
api-gateway-hint = Alleen nodig waar een gateway voor de API staat.
api-basic-hint = Voor git, curl -u en andere oude programma’s.
api-query = Queryparameter
api-query-hint = Adressen komen in logboeken terecht; laat dit leeg, tenzij een programma geen andere weg heeft.
api-query-wrong = De naam van een queryparameter is 1 tot 64 letters, cijfers, _, - of punten.
api-servers-hint = Id’s van de serviceaccounts die haar bedienen, één per regel. Zij mogen de toegangsbewijzen zien die aan haar worden getoond.
api-server-unknown = Er is geen serviceaccount { $name }.
api-changed-meanwhile = Iemand anders heeft deze API intussen gewijzigd. Er is niets bewaard: kijk er nog eens naar, en bewaar opnieuw.

## Haar rechten
api-permission-new = Een recht aanmelden
api-permission-new-what = Vanaf dan kan het worden gegeven, door rollen en aan sleutels en tokens.
api-permission-name-hint = Waar het over gaat en wat er gebeurt, zoals invoices:read. Het blijft voorgoed.
api-permission-what = Wat het toestaat
api-permission-what-hint = Eén regel, voor wie het uit een lijst kiest.
api-permission-change-what = Alleen wat ervan gezegd wordt, verandert.
api-retire = Afschaffen
api-retire-title = Dit recht afschaffen?
api-retire-what = Het werkt meteen nergens meer, en geen rol en geen sleutel geeft het nog. Wordt het opnieuw aangemeld, dan moet het opnieuw worden gegeven.
api-retire-rules = Routeregels vragen erom, dus het kan nog niet worden afgeschaft. Wijzig eerst deze:
api-retire-roles = Rollen die het verliezen:
api-retire-no-credential = Geen sleutel of token noemt het.
api-retire-credentials = { $count ->
    [one] Eén sleutel of token noemt het, en verliest het.
   *[other] { $count } sleutels en tokens noemen het, en verliezen het.
}
api-retire-more = Er zijn maar { $count } sleutels en tokens bekeken: er kunnen er meer zijn die het verliezen.
api-retire-do = Definitief afschaffen
api-delete-title = Deze API verwijderen?
api-delete-what = Haar rechten werken meteen nergens meer, en er is geen token meer voor te krijgen.
api-delete-permissions = Deze rechten eindigen:
