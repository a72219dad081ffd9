## De lijst van leden
nav-members = Leden
members-what = De mensen die bij deze organisatie horen, en wat zij erin mogen.
members-search = Zoek op naam of adres
members-none = Er hoort nog niemand bij deze organisatie
members-none-what = Nodig iemand uit: u krijgt een link om door te geven, en wie hem opent, wordt lid met de rechten die u koos.
member-holds = Rollen en rechten
member-holds-nothing = geen
member-since = Lid sinds
member-self = u
member-everywhere = Hele instantie

## Een lid
member-email = E-mailadres
member-external = Extern id
member-tokens = { $count ->
    [0] Geen werkend token
    [one] Eén werkend token
   *[other] { $count } werkende tokens
}
member-holds-nothing-what = Niets: dit lid hoort hier, en mag nog niets.
member-may = Wat dit lid hier mag
member-may-what = Alle rollen en rechten samen, voor zover de organisatie ze mag gebruiken. Tokens van dit lid kunnen nooit meer.
member-reaches-further = Dit lid beheert de hele instantie; alleen wie dat ook doet, kan het wijzigen of verwijderen.

## Rechten
rights-roles = Rollen
rights-roles-hint = Een rol geeft wat zij bevat, nu en later. U kunt geven wat u zelf heeft.
rights-more-roles = Andere rollen, op naam
rights-more-roles-hint = Gescheiden door spaties.
rights-permissions = Losse rechten
rights-permissions-hint = Voor wat geen rol geeft. Een rol is later makkelijker voor iedereen te wijzigen.
rights-too-many = Hoogstens 100 rollen en 100 losse rechten.
rights-role-unknown = Er is hier geen rol { $name }. De pagina van de rollen zegt welke er zijn.
rights-permission-unknown = Geen API kent { $name }.

## Wijzigen wat iemand mag
member-change = Rechten wijzigen
member-change-what = Wat dit lid verliest, verliezen al zijn tokens hier meteen.
member-narrow = Dit afnemen?
member-narrow-what = Dit neemt meteen rechten af, van het lid en van al zijn tokens hier.
member-narrow-do = Afnemen
member-narrow-no-token = Geen token van dit lid gebruikt er iets van.
member-narrow-tokens = { $count ->
    [one] Eén token kan vanaf dan minder.
   *[other] { $count } tokens kunnen vanaf dan minder.
}
member-loses = Dit gaat verloren:
member-gains = Dit komt erbij:
ask-back = Terug naar het formulier

## Iemand verwijderen
member-remove = Verwijderen
member-remove-title = Dit lid verwijderen?
member-remove-what = Dit lid hoort dan niet meer bij { $name }. Voor wat het had is dat definitief: een uitnodiging brengt het lid terug, en niets daarvan.
member-remove-everywhere = Ook wat dit lid via dit lidmaatschap in de hele instantie heeft, gaat verloren.
member-remove-no-token = Dit lid heeft hier geen werkend token.
member-remove-tokens = { $count ->
    [one] Eén token van dit lid wordt definitief ingetrokken.
   *[other] { $count } tokens van dit lid worden definitief ingetrokken.
}
member-remove-do = Definitief verwijderen

## Uitnodigingen
invitations-title = Uitnodigingen
invitations-what = Links die wie ze opent lid maken, één keer.
invitations-none = Geen uitnodigingen
invitations-none-what = Geen in deze toestand. Wat voorbij is, staat nog een maand in de lijst.
invitation-new = Iemand uitnodigen
invitation-new-what = Claviger verstuurt geen mail: u krijgt één keer een link, en geeft die zelf door.
invitation-make = De link maken
invitation-email = E-mailadres
invitation-email-hint = Voor wie hij is. Wie de link heeft, kan hem gebruiken; geef hem aan niemand anders.
invitation-email-wrong = Dit is geen e-mailadres, zoals bob@acme.test.
invitation-already-member = Iemand met dit adres is al lid. Wijzig in plaats daarvan de rechten.
invitation-nothing = Kies minstens één rol of recht: een lid zonder kan niets.
invitation-ends = De link werkt
invitation-brings = Geeft
invitation-open = Open
invitation-accepted = Aangenomen
invitation-revoked = Ingetrokken
invitation-expired = Verlopen
invitation-any = Alle
invitation-made = Uw uitnodiging
invitation-made-what = Stuur hem aan { $name }. Niemand kan hem nog eens tonen; raakt hij kwijt, trek de uitnodiging dan in en maak een nieuwe.
invitation-link-gone = De link is getoond toen hij werd gemaakt, en wordt niet nog eens getoond. Is hij kwijt, trek de uitnodiging dan in en nodig opnieuw uit.
invitation-withdraw = Intrekken
invitation-withdraw-title = Deze uitnodiging intrekken?
invitation-withdraw-what = De link werkt meteen niet meer. Wie hem eerder opende, blijft lid.

## Een link, één keer
made-link = Link
made-link-once = Deze link wordt alleen nu getoond.
made-link-sent = Ik heb hem bewaard
