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
