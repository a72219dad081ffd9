## The instance itself
settings-title = Instellingen
settings-what = Deze instantie zelf. Wat in haar configuratie staat, wordt daar veranderd en geldt na een herstart.
settings-keys = Ondertekeningssleutels
settings-keys-what = Ze ondertekenen toegangstokens. De volgende wordt gepubliceerd voordat hij ondertekent, en de vorige tot zijn laatste token is afgelopen.
settings-keys-every = { $count ->
    [one] Vanzelf ondertekent elke dag de volgende.
   *[other] Vanzelf ondertekent elke { $count } dagen de volgende.
}
settings-keys-at = Wie controleert, haalt ze op bij
key-announced = Volgende
key-active = Ondertekent
key-retiring = Loopt af
key-removed = Weg
key-next = De volgende sleutel wordt gepubliceerd
key-published-at = gepubliceerd
key-signs-at = ondertekent vanaf
key-retires-at = ondertekent tot
key-removed-at = weg
rotate-do = Nu vervangen
rotate-title = De ondertekeningssleutels vervangen?
rotate-what = Een nieuwe sleutel wordt nu gepubliceerd en ondertekent over tien minuten, als iedereen die controleert hem heeft opgehaald. De vorige blijft gepubliceerd tot zijn laatste token is afgelopen.
rotate-after = Geen token houdt op te werken, en niemand hoeft iets te doen.
rotate-which = Welke sleutels
rotate-all = Allemaal
rotate-in-progress = De volgende sleutel is al gepubliceerd en ondertekent binnenkort; er is niets veranderd. Als iemand anders een sleutel kan hebben, wacht dan niet: vervang de sleutels onmiddellijk.
replace-do = Onmiddellijk vervangen
replace-title = De ondertekeningssleutels onmiddellijk vervangen?
replace-what = Elk toegangstoken dat de vorige sleutels hebben ondertekend, wordt meteen geweigerd, hier en overal waar tokens met verse sleutels worden gecontroleerd. Dit is definitief, en bedoeld voor een sleutel die iemand anders kan hebben.
replace-after = Clients krijgen met hun geheimen nieuwe tokens, zoals wanneer een token afloopt. API-sleutels en persoonlijke toegangstokens blijven werken.
settings-brand = Hoe geheimen beginnen
settings-brand-what = Nieuwe sleutels en tokens beginnen met { $brand }_, zodat uw klanten uw naam zien en scanners vinden wat is uitgelekt.
settings-brand-former = Ook aanvaard, voor wat eerder is uitgedeeld:
settings-brand-change = De instellingen “brand” en “former_brands” (CLAVIGER_BRAND, CLAVIGER_FORMER_BRANDS) veranderen het. Kies voordat u sleutels uitdeelt: wat er is, houdt zijn tekst en werkt alleen zolang zijn begin is genoemd.
settings-registration = Clients die zichzelf registreren
settings-registration-what = Een client registreert zich met een geheim dat claviger:registrations:write heeft, en krijgt hoogstens de rechten die daarop staan. Zolang niemand zo’n geheim heeft, registreert niemand zich.
settings-registration-most = { $count ->
    [one] Een organisatie heeft hoogstens één zulke client tegelijk.
   *[other] Een organisatie heeft hoogstens { $count } zulke clients tegelijk.
}
settings-registration-at = Ze registreren zich bij
settings-facts = Voor ondersteuning
settings-facts-what = Wat iemand die u helpt het eerst vraagt. Er staat geen geheim in.
fact-version = Versie
fact-database = Database, en haar schema
fact-public = Openbaar adres
fact-mtls = Adres voor clientcertificaten
fact-internal = Interne listener
fact-internal-hosts = Namen van de interne listener
fact-internal-token = Intern token
fact-proxies = Vertrouwde proxy’s
fact-redis = Redis voor exacte limieten
fact-provider = Inloggen via een andere dienst
fact-traces = Traces
fact-staleness = Antwoorden uit het geheugen zonder wijzigingslog
fact-none = geen
fact-set = ingesteld
fact-not-set = niet ingesteld
