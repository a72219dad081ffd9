## Fleets
nav-fleets = Flottes
fleets-what = Des appareils devant lesquels personne n’est assis : chacun s’inscrit avec un code, s’authentifie par sa propre clé et la renouvelle lui-même.
fleets-none = Pas encore de flotte
fleets-none-what = Une flotte dit ce que peuvent ses appareils. Créez-en une, puis un code d’inscription, et les appareils s’inscrivent d’eux-mêmes.
fleets-name-hint = De quels appareils il s’agit, par exemple « passerelles ».
fleets-too-many = Une organisation a au plus 100 flottes, et une flotte donne à tous ses appareils ensemble au plus 20 000 rôles et permissions.
fleet-new = Nouvelle flotte
fleet-new-what = Chacun de ses appareils devient un compte de service qui détient ce que vous choisissez ici, et rien de plus.
fleet-new-do = Créer
fleet-edit-what = Ce que ses appareils perdent, ils le perdent aussitôt, y compris ceux qui sont inscrits. La durée des clés vaut pour celles à venir.
fleet-days = Durée de la clé d’un appareil
fleet-days-hint = En jours, de 1 à 825. Les appareils renouvellent d’eux-mêmes quand il en reste un tiers.
fleet-days-wrong = Donnez un nombre de jours de 1 à 825.
fleet-so-many-days = { $count ->
    [one] 1 jour
   *[other] { $count } jours
}
fleet-open = Ouverte
fleet-closed = Fermée
fleet-close = Fermer
fleet-reopen = Rouvrir
fleet-closed-what = Elle est fermée : rien ne s’y inscrit ni ne s’y renouvelle. Les appareils inscrits fonctionnent jusqu’à la fin de leurs clés.
fleet-is-closed = La flotte est fermée. Rouvrez-la d’abord.
fleet-gives = Ce que peut chaque appareil
fleet-devices = Appareils
fleet-devices-what = Ceux qui sont inscrits et n’ont pas pris fin.
fleet-devices-lead = Chacun est un compte de service : sa page l’arrête ou y met fin, lui seul.
fleet-devices-none = Pas encore d’appareil
fleet-devices-none-what = Donnez un code d’inscription à un appareil ; il s’inscrit avec et apparaît ici.
fleet-key-ends = Fin de la clé
fleet-enrolled = Inscrit
fleet-enrol = Sur l’appareil
fleet-enrol-what = Avec un code d’inscription dans CLAVIGER_CLAIM_CODE. La clé privée est créée sur l’appareil et ne le quitte jamais ; la première commande indique l’identifiant client.
fleet-authority = Son autorité de certification
fleet-authority-what = Elle émet des certificats aux appareils qui en demandent. Lui faire confiance, c’est laisser entrer les appareils de cette flotte ; après une révocation de la flotte, c’en est une autre.
fleet-revoke = Révoquer tous les appareils
fleet-revoke-title = Révoquer tous les appareils de cette flotte ?
fleet-revoke-what = Chaque clé, certificat et jeton de ses appareils prend fin aussitôt, ainsi que chaque code d’inscription. C’est définitif : les appareils doivent se réinscrire, avec de nouveaux codes.
fleet-revoke-instead = Pour mettre fin à un seul appareil, utilisez sa page. Pour n’en plus laisser entrer, fermez la flotte.
fleet-revoke-do = Tout révoquer définitivement
fleet-delete-title = Supprimer cette flotte ?
fleet-delete-what = Tous ses appareils prennent fin avec elle, avec toutes leurs authentifications et tous leurs jetons. C’est définitif.
event-closed = Fermée
event-reopened = Rouverte

## Claim codes
claim-code = Code d’inscription
claim-codes = Codes d’inscription
claim-codes-what = Avec l’un d’eux un appareil s’inscrit, une fois, ou autant d’appareils que le code le dit.
claim-codes-none = Aucun code d’inscription
claim-codes-none-what = Créez-en un pour un appareil, ou un seul pour autant d’appareils qu’il y en a. Ceux qui ont pris fin restent listés un mois.
claim-codes-too-many = Une flotte a au plus 100 codes ouverts. Retirez-en un, ou donnez plus d’emplois à un autre.
claim-code-new = Nouveau code d’inscription
claim-code-new-what = Qui le détient obtient ce que donne la flotte, autant de fois qu’il a d’emplois. Il prend fin si vous perdez le droit de le créer, ou si la flotte donne plus qu’à présent.
claim-code-uses = Combien d’appareils
claim-code-uses-hint = De 1 à 100 000.
claim-code-uses-wrong = Donnez un nombre d’appareils de 1 à 100 000.
claim-code-life = Pour combien de temps
claim-code-open = Ouvert
claim-code-used-up = Épuisé
claim-code-used = Employé
claim-code-do = Ce qu’on peut faire
claim-code-made = Votre nouveau code d’inscription
claim-code-keep = Mettez-le sur les appareils. Personne ne peut le montrer à nouveau ; s’il se perd, retirez-le et créez-en un autre.
claim-code-revoke = Retirer
claim-code-revoke-title = Retirer ce code d’inscription ?
claim-code-revoke-what = Aucun appareil ne s’inscrit plus avec. Ceux qui l’ont fait ne sont pas touchés. C’est définitif.
