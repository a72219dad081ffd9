## What needs attention
overview-keys = { $count ->
    [0] Aucune clé d’API ne fonctionne.
    [one] Une clé d’API fonctionne.
   *[other] { $count } clés d’API fonctionnent.
}
attention = À examiner
attention-none = Rien à signaler
attention-none-what = Aucune clé n’expire bientôt, ne dort ou n’est sans fin, et aucune approbation n’attend.
attention-rolling = { $count ->
    [one] Une clé a un ancien secret qui fonctionne encore
   *[other] { $count } clés ont un ancien secret qui fonctionne encore
}
attention-soon = { $count ->
    [one] Une clé expire dans les 14 jours
   *[other] { $count } clés expirent dans les 14 jours
}
attention-idle = { $count ->
    [one] Une clé n’a pas servi depuis 90 jours
   *[other] { $count } clés n’ont pas servi depuis 90 jours
}
attention-endless = { $count ->
    [one] Une clé n’expire jamais
   *[other] { $count } clés n’expirent jamais
}
