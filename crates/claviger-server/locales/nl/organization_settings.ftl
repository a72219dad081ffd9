## Een organisatie
nav-settings = Instellingen
organization-new = Nieuwe organisatie
organization-new-what = Een klant, of een deel van uw eigen bedrijf. Wat erin zit, staat los van al het andere.
organization-change = Organisatie bewerken
organization-change-what = Hoe zij heet, en hoe haar portaal eruitziet.
organization-name-hint = Hoe mensen haar noemen.
organization-slug = Korte naam
organization-slug-hint = Die staat in de adressen van deze pagina’s en op de opdrachtregel. Met een andere leiden de oude adressen nergens meer heen.
organization-new-slug-hint = Die staat in de adressen van deze pagina’s. Leeg: gemaakt uit de naam.
organization-slug-wrong = Een korte naam is 1 tot 63 van a-z, 0-9 en -, en begint noch eindigt met -.
organization-slug-taken = Een andere organisatie heeft deze korte naam al. Kies een andere.
organization-external-hint = Hoe uw eigen product haar noemt. Leeg: niets.
organization-external-wrong = Een extern id is 1 tot 255 zichtbare ASCII-tekens.
organization-external-taken = Een andere organisatie heeft dit externe id al.
organization-portal = Haar portaal
organization-portal-hint = Waar gebruikers van uw product hun eigen tokens maken.
organization-portal-name = Naam van het portaal
organization-portal-name-hint = Hoe uw product heet. Dit staat boven elke pagina. Leeg: de naam van de organisatie.
organization-portal-name-none = die van de organisatie
organization-portal-color = Kleur van het portaal
organization-portal-color-hint = # en zes hexadecimale cijfers. Waar tekst slecht leesbaar zou zijn, wordt een tint ervan gebruikt. Leeg: die van Claviger.
organization-portal-color-none = die van Claviger
organization-portal-color-wrong = Een kleur is # en zes hexadecimale cijfers, zoals #3550cb.
organization-origins = Origins van haar portaal
organization-origins-hint = Waar haar portaal in een frame mag staan, en naar terug mag leiden: https://host, één per regel. Hoogstens 20.
organization-origins-none = geen: haar portaal staat in geen frame
organization-ceiling = Wat zij mag gebruiken
organization-ceiling-hint = Eén recht per regel, of * voor alle API’s. Leeg: de standaard, namelijk alle API’s en wat Claviger een organisatie biedt. Wat hier wordt afgenomen, werkt voor iedereen erin meteen niet meer.
organization-ceiling-default = De standaard: alle API’s, en wat Claviger een organisatie biedt
organization-of-instance = Voor beheerders van de instantie
organization-of-instance-hint = Alleen wie de hele instantie beheert, ziet en wijzigt dit.
organization-stopped = Niets erin werkt voorlopig: zij is uitgeschakeld.

## Stilleggen en beëindigen
organization-disable-title = Deze organisatie uitschakelen?
organization-disable-what = Niets erin werkt nog, tot iemand haar inschakelt: geen sleutel, geen token, en haar leden komen niet op haar pagina’s.
organization-disable-credentials = { $count ->
    [0] Er werkt nu geen sleutel of token van haar.
    [one] Eén sleutel of token werkt niet meer.
   *[other] { $count } sleutels en tokens werken niet meer.
}
organization-delete-title = Deze organisatie verwijderen?
organization-delete-what = Elke sleutel en elk token erin eindigt voorgoed, en niemand vindt haar nog. Dit is definitief.
organization-delete-credentials = { $count ->
    [0] Er werkt nu geen sleutel of token van haar.
    [one] Eén sleutel of token wordt definitief ingetrokken.
   *[other] { $count } sleutels en tokens worden definitief ingetrokken.
}
organization-delete-fleets = Zij heeft groepen apparaten, en kan dus nog niet worden verwijderd. Verwijder die eerst.
organization-is-own = U hoort er zelf bij, en verliest wat u daardoor heeft, hier en in de hele instantie.
