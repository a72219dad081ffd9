## De regels van een organisatie
nav-policy = Beleid
policy-title = Beleid
policy-what = De regels voor elke sleutel en elk token van deze organisatie. Zij gelden ook voor wat al bestaat.
policy-change = Regels wijzigen
policy-change-what = Strengere regels gelden ook voor wat al bestaat: u ziet wat zij doen, voordat zij gelden.
policy-lives = Hoe lang
policy-made = Wat en hoe
policy-approvals = Goedkeuring
policy-pat-max = Langste looptijd van een persoonlijk toegangstoken, in dagen
policy-pat-max-what = Niemand maakt er een dat langer werkt, en wat bestaat wordt ertoe ingekort. Leeg: geen grens.
policy-pat-default = Looptijd van een persoonlijk toegangstoken zonder gekozen einde, in dagen
policy-pat-default-what = Geldt waar wie een token maakt geen einde noemt. Leeg: de langste die is toegestaan.
policy-key-max = Langste looptijd van een API-sleutel, in dagen
policy-key-max-what = Sleutels die bestaan, worden ertoe ingekort. Leeg: geen grens.
policy-expiry = Alles moet een einde hebben
policy-expiry-what = Er wordt niets gemaakt dat nooit eindigt, en wat nu nooit eindigt, krijgt een einde.
policy-unused = Intrekken wat niemand gebruikte, na dagen
policy-unused-what = Wat zo lang niet is gebruikt of gemaakt, wordt binnen het uur ingetrokken. Leeg: nooit.
policy-kinds = Soorten die zijn toegestaan
policy-kinds-what = Wat niet is toegestaan, wordt niet meer gemaakt, en geweigerd waar het bestaat, zolang de regel geldt.
policy-client-secrets = Clientgeheimen
policy-public-keys = Openbare sleutels van clients
policy-certificates = Certificaten van clients
policy-federations = Identiteiten van externe uitgevers
policy-wildcard = ‘Alles’ is toegestaan
policy-wildcard-what = Een sleutel of token mag zijn eigenaar volgen, in alles wat die mag. Zonder dit moet elk zijn rechten noemen.
policy-objects = Leden moeten objecten noemen
policy-objects-what = Tokens van leden werken alleen op objecten die zij noemen, zoals base:app7. Wie de tokens van anderen beheert, is er vrij van.
policy-networks = Netwerken vanwaar iets gebruikt mag worden
policy-networks-what = Eén per regel, zoals 203.0.113.0/24. Leeg: overal vandaan.
policy-approval = Tokens wachten op goedkeuring
policy-approval-what = Een nieuw persoonlijk toegangstoken werkt pas als iemand die dat mag het goedkeurt; net zo een dat meer krijgt dan het had.
policy-no-bound = geen grens
policy-days = { $count ->
    [one] 1 dag
   *[other] { $count } dagen
}
policy-days-wrong = Een aantal dagen is een geheel getal van 1 tot 36500, of niets.
policy-default-too-long = Dit is langer dan de langste looptijd hierboven.
policy-yes = ja
policy-no = nee
policy-all = alle
policy-none = geen

## Wat strengere regels doen
policy-tighten = De regels strenger maken?
policy-tighten-what = Dit raakt sleutels en tokens die in gebruik zijn.
policy-tighten-do = Strenger maken
policy-ends-sooner = { $count ->
    [one] één eindigt eerder, definitief
   *[other] { $count } eindigen eerder, definitief
}
policy-disabled = { $count ->
    [one] één wordt geweigerd zolang de regel geldt
   *[other] { $count } worden geweigerd zolang de regel geldt
}
policy-loses-wildcards = { $count ->
    [one] één volgt zijn eigenaar niet meer; wat het noemt, blijft
   *[other] { $count } volgen hun eigenaar niet meer; wat zij noemen, blijft
}
policy-limited-to-networks = { $count ->
    [one] één werkt alleen vanuit deze netwerken
   *[other] { $count } werken alleen vanuit deze netwerken
}
policy-revoked = { $count ->
    [one] één wordt binnen het uur ingetrokken, definitief
   *[other] { $count } worden binnen het uur ingetrokken, definitief
}
