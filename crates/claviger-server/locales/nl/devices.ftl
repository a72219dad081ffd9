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
