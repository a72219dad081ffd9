## De lijst van rollen
nav-roles = Rollen
roles-what = Verzamelingen rechten met een naam. Wijzig een rol, en iedereen die haar heeft, krijgt of verliest meteen.
role-builtin = Ingebouwd
role-of-instance = Hele instantie
role-new = Nieuwe rol
role-new-what = Zij kan alleen in deze organisatie worden gegeven.
role-new-everywhere = Nieuwe rol van de instantie
role-new-everywhere-what = Zij kan in elke organisatie worden gegeven.

## Eén rol
role-builtin-what = Deze rol hoort bij Claviger. Zij verandert alleen met de versie van Claviger; maak voor iets anders een eigen rol.
role-empty = Zij bevat niets, en geeft niets.
role-holders = Wie haar hier heeft
role-holders-none = Niemand heeft haar hier. Geef haar op de pagina van een lid.
role-holder-kind = Soort
role-holder-member = Lid
role-since = Sinds

## Het formulier van een rol
role-change = Rol bewerken
role-change-what = Iedereen die haar heeft, krijgt of verliest meteen, en hun sleutels en tokens ook.
role-name-hint = Kleine letters, cijfers, - en _, zoals invoice-reader.
role-name-wrong = De naam van een rol is 1 tot 63 van a-z, 0-9, - en _, en begint met een letter of cijfer.
role-name-taken = Een andere rol heet al zo, hier of in de hele instantie. Kies een andere naam.
role-description = Waar zij voor is
role-description-hint = Eén regel, voor wie haar geeft.
role-description-wrong = Eén regel van hoogstens 500 tekens.
role-permissions-hint = U kunt erin opnemen wat u zelf heeft.
role-credentials-of-others = Iemand die deze rol in de hele instantie heeft, heeft sleutels of tokens die anderen maakten. Die zouden ook verder reiken: trek ze eerst in.

## Wat het afneemt
role-narrow = Dit afnemen van iedereen die de rol heeft?
role-narrow-what = Dit neemt meteen rechten af, en van hun sleutels en tokens ook.
role-narrow-holders = { $count ->
    [one] Eén lid of serviceaccount heeft de rol.
   *[other] { $count } leden en serviceaccounts hebben de rol.
}
role-loses = De rol geeft niet meer:
role-gains = De rol geeft erbij:
role-delete = Verwijderen
role-delete-title = Deze rol verwijderen?
role-delete-what = Iedereen die haar heeft, verliest haar meteen. Uitnodigingen die haar geven, geven alleen de rest.
role-delete-nobody = Niemand heeft haar.
role-delete-holders = { $count ->
    [one] Eén lid of serviceaccount verliest haar.
   *[other] { $count } leden en serviceaccounts verliezen haar.
}
role-delete-do = Definitief verwijderen
