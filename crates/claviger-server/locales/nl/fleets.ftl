## Fleets
nav-fleets = Vloten
fleets-what = Apparaten waar niemand achter zit: elk meldt zich aan met een claimcode, bewijst zich met een eigen sleutel en vernieuwt die zelf.
fleets-none = Nog geen vloten
fleets-none-what = Een vloot zegt wat haar apparaten mogen. Maak er een, dan een claimcode, en de apparaten melden zich zelf aan.
fleets-name-hint = Wat voor apparaten het zijn, zoals “gateways”.
fleets-too-many = Een organisatie heeft hoogstens 100 vloten, en een vloot geeft al haar apparaten samen hoogstens 20.000 rollen en rechten.
fleet-new = Nieuwe vloot
fleet-new-what = Elk van haar apparaten wordt een serviceaccount dat heeft wat u hier kiest, en niet meer.
fleet-new-do = Maken
fleet-edit-what = Wat haar apparaten verliezen, verliezen ze meteen, ook die al aangemeld zijn. Hoe lang sleutels duren telt voor sleutels vanaf nu.
fleet-days = Hoe lang de sleutel van een apparaat duurt
fleet-days-hint = In dagen, van 1 tot 825. Apparaten vernieuwen zelf als er nog een derde over is.
fleet-days-wrong = Geef een aantal dagen van 1 tot 825.
fleet-so-many-days = { $count ->
    [one] 1 dag
   *[other] { $count } dagen
}
fleet-open = Open
fleet-closed = Gesloten
fleet-close = Sluiten
fleet-reopen = Weer openen
fleet-closed-what = Ze is gesloten: niets meldt zich aan of vernieuwt. Aangemelde apparaten werken tot hun sleutels eindigen.
fleet-is-closed = De vloot is gesloten. Open haar eerst.
fleet-gives = Wat elk apparaat mag
fleet-devices = Apparaten
fleet-devices-what = Die zich aangemeld hebben en niet geëindigd zijn.
fleet-devices-lead = Elk is een serviceaccount: op zijn pagina stopt of beëindigt u alleen dat ene.
fleet-devices-none = Nog geen apparaten
fleet-devices-none-what = Geef een apparaat een claimcode; daarmee meldt het zich aan en dan staat het hier.
fleet-key-ends = Sleutel eindigt
fleet-enrolled = Aangemeld
fleet-enrol = Op het apparaat
fleet-enrol-what = Met een claimcode in CLAVIGER_CLAIM_CODE. De privésleutel wordt op het apparaat gemaakt en verlaat het nooit; de eerste opdracht toont het client-ID.
fleet-authority = Haar certificaatautoriteit
fleet-authority-what = Ze geeft certificaten aan apparaten die erom vragen. Wie deze vertrouwt, laat apparaten van deze vloot binnen; nadat de vloot is ingetrokken is het een andere.
fleet-revoke = Alle apparaten intrekken
fleet-revoke-title = Alle apparaten van deze vloot intrekken?
fleet-revoke-what = Elke sleutel, elk certificaat en elk token van haar apparaten eindigt meteen, en elke claimcode. Dit is definitief: de apparaten moeten zich opnieuw aanmelden, met nieuwe codes.
fleet-revoke-instead = Gebruik voor één apparaat zijn eigen pagina. Sluit de vloot als er geen meer bij mogen.
fleet-revoke-do = Alles voorgoed intrekken
fleet-delete-title = Deze vloot verwijderen?
fleet-delete-what = Al haar apparaten eindigen mee, met al hun bewijzen en tokens. Dit is definitief.
event-closed = Gesloten
event-reopened = Weer geopend

## Claim codes
claim-code = Claimcode
claim-codes = Claimcodes
claim-codes-what = Met zo’n code meldt een apparaat zich aan, één keer, of zoveel apparaten als de code zegt.
claim-codes-none = Geen claimcodes
claim-codes-none-what = Maak er een voor een apparaat, of een voor zoveel keer als er apparaten zijn. Beëindigde staan nog een maand in de lijst.
claim-codes-too-many = Een vloot heeft hoogstens 100 open claimcodes. Trek er een in, of geef er een meer keren.
claim-code-new = Nieuwe claimcode
claim-code-new-what = Wie hem heeft, krijgt wat de vloot geeft, zo vaak als hij gebruikt kan worden. Hij eindigt als u het recht verliest om hem te maken, of als de vloot meer geeft dan nu.
claim-code-uses = Hoeveel apparaten
claim-code-uses-hint = Van 1 tot 100.000.
claim-code-uses-wrong = Geef een aantal apparaten van 1 tot 100.000.
claim-code-life = Hoe lang
claim-code-open = Open
claim-code-used-up = Opgebruikt
claim-code-used = Gebruikt
claim-code-do = Wat er gedaan kan worden
claim-code-made = Uw nieuwe claimcode
claim-code-keep = Zet hem op de apparaten. Niemand kan hem nog een keer tonen; raakt hij kwijt, trek hem dan in en maak een andere.
claim-code-revoke = Intrekken
claim-code-revoke-title = Deze claimcode intrekken?
claim-code-revoke-what = Geen apparaat meldt zich er nog mee aan. Wie dat al deed, blijft. Dit is definitief.
