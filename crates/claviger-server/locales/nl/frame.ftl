## Frame
signed-in-as = Ingelogd als { $name }
sign-out = Uitloggen
languages = Talen
back = Terug naar het begin
cancel = Annuleren
continue = Verder

## Start
start-title = Begin
start-hello = Hallo, { $name }
organizations = Uw organisaties
organizations-none = U hoort nog bij geen organisatie. Vraag wie u hierheen stuurde om een uitnodiging.

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
nav-instance = Instantie
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
done-once = Dit formulier is al eerder verstuurd; er is niets nieuws gemaakt. Als het een geheim maakte, is dat toen getoond en wordt het niet nog eens getoond.
done-disabled = Uitgeschakeld: vanaf nu geweigerd, tot iemand het inschakelt.
done-enabled = Ingeschakeld; het werkt weer.
done-overlap = Het oude geheim is beëindigd. Alleen het nieuwe werkt.
done-revoked = Ingetrokken. Het wordt hier meteen geweigerd, en op elke andere node binnen een seconde.
done-rotated = Vervangen. De nieuwe sleutel is gepubliceerd en ondertekent over tien minuten; niets houdt op te werken.
done-replaced = Vervangen. Wat de vorige sleutels hebben ondertekend, wordt vanaf nu geweigerd.
done-made = Gemaakt.
done-removed = Verwijderd. Niets van wat deze persoon hier had, werkt nog.
done-withdrawn = Ingetrokken. De link werkt niet meer.
done-deleted = Verwijderd.
done-passkey = Uw passkey is toegevoegd. Log er de volgende keer mee in.
done-passkey-removed = De passkey is verwijderd. Alle andere browsers zijn uitgelogd.

## Trouble
trouble-title = Dat lukte niet
trouble-form = Deze pagina stond te lang open, of uw browser bewaart geen cookies. Er is niets veranderd: ga terug, laad de pagina opnieuw en probeer het nog eens.
trouble-unreadable = Wat uw browser stuurde, was niet te lezen.
trouble-link = Deze link is al gebruikt, te oud of niet volledig. Vraag om een nieuwe.
trouble-portal = Deze pagina stond te lang open of is verlaten, de link is al gebruikt, of uw browser bewaart hier geen cookies. Ga terug naar waar u vandaan kwam en open haar opnieuw.
trouble-withheld = Dit mag u niet doen: er zijn meer rechten voor nodig dan u hier hebt, of het gaat om iemand met rechten in de hele installatie. Er is niets gewijzigd.
trouble-absent = Deze pagina is er niet, of niet voor u.
trouble-method = Dit adres neemt aan wat een formulier verstuurt, en is geen pagina om te openen. Ga terug en gebruik het formulier.
trouble-provider = De andere dienst antwoordt niet, of niet zoals het hoort. Probeer het zo meteen opnieuw, of log in met uw wachtwoord.
trouble-provider-not-ours = Dit inloggen is niet in deze browser begonnen, duurde te lang of is al gebruikt. Begin opnieuw.
trouble-provider-denied = De andere dienst liet u niet binnen. Begin opnieuw, of log in met uw wachtwoord.
trouble-provider-unverified = De andere dienst heeft uw e-mailadres niet bevestigd en kan ons dus niet zeggen wie u hier bent. Laat het adres daar bevestigen en log opnieuw in.
trouble-provider-unknown = Met wat de andere dienst over u zei, mag hier niemand inloggen. Vraag een beheerder om een account of een uitnodiging.
trouble-provider-not-proven = De andere dienst heeft niet aangetoond dat u degene bent die hier is ingelogd. Probeer het opnieuw met hetzelfde account.
trouble-throttled = Te veel pogingen. Wacht enkele minuten en probeer het opnieuw.
trouble-busy = Nu is er te veel te doen. Probeer het zo meteen opnieuw.
trouble-defect = Bij ons is iets stuk. Het log zegt meer.
