## The instance itself
settings-title = Réglages
settings-what = Cette instance elle-même. Ce qui figure dans sa configuration s’y change, et compte après un redémarrage.
settings-keys = Clés de signature
settings-keys-what = Elles signent les jetons d’accès. La suivante est publiée avant de signer, et la précédente jusqu’à la fin de son dernier jeton.
settings-keys-every = { $count ->
    [one] D’elle-même, la suivante signe chaque jour.
   *[other] D’elle-même, la suivante signe tous les { $count } jours.
}
settings-keys-at = Quiconque vérifie les prend à
key-announced = Suivante
key-active = Signe
key-retiring = En retrait
key-removed = Retirée
key-next = La clé suivante est publiée
key-published-at = publiée
key-signs-at = signe à partir de
key-retires-at = signe jusqu’à
key-removed-at = retirée
rotate-do = Changer maintenant
rotate-title = Changer les clés de signature ?
rotate-what = Une nouvelle clé est publiée maintenant et signe dans dix minutes, quand tous ceux qui vérifient l’ont prise. La précédente reste publiée jusqu’à la fin de son dernier jeton.
rotate-after = Aucun jeton ne cesse de fonctionner, et personne n’a rien à faire.
rotate-which = Quelles clés
rotate-all = Toutes
rotate-in-progress = La clé suivante est déjà publiée et signera bientôt ; rien n’a été changé. Si une clé a pu tomber entre d’autres mains, n’attendez pas : remplacez les clés sur-le-champ.
replace-do = Remplacer sur-le-champ
replace-title = Remplacer les clés de signature sur-le-champ ?
replace-what = Tout jeton d’accès signé par les clés précédentes est refusé aussitôt, ici et partout où des jetons sont vérifiés avec des clés à jour. C’est définitif, et prévu pour une clé que quelqu’un d’autre pourrait avoir.
replace-after = Les clients obtiennent de nouveaux jetons avec leurs secrets, comme lorsqu’un jeton expire. Les clés d’API et les jetons d’accès personnels continuent de fonctionner.
settings-brand = Comment les secrets commencent
settings-brand-what = Les nouvelles clés et les nouveaux jetons commencent par { $brand }_, pour que vos clients voient votre nom et que les scanners trouvent ce qui a fui.
settings-brand-former = Acceptés aussi, pour ce qui a été distribué auparavant :
settings-brand-change = Les réglages « brand » et « former_brands » (CLAVIGER_BRAND, CLAVIGER_FORMER_BRANDS) le changent. Choisissez avant de distribuer des clés : celles qui existent gardent leur texte, et ne fonctionnent que tant que leur début est cité.
settings-registration = Clients qui s’enregistrent eux-mêmes
settings-registration-what = Un client s’enregistre avec un secret qui a claviger:registrations:write, et obtient au plus les permissions que celui-ci énumère. Tant que personne n’a un tel secret, personne ne s’enregistre.
settings-registration-most = { $count ->
    [one] Une organisation a au plus un tel client à la fois.
   *[other] Une organisation a au plus { $count } tels clients à la fois.
}
settings-registration-at = Ils s’enregistrent à
settings-facts = Pour l’assistance
settings-facts-what = Ce que demande d’abord quelqu’un qui vous aide. Aucun secret n’y figure.
fact-version = Version
fact-database = Base de données, et son schéma
fact-public = Adresse publique
fact-mtls = Adresse pour les certificats clients
fact-internal = Écoute interne
fact-internal-hosts = Noms de l’écoute interne
fact-internal-token = Jeton interne
fact-proxies = Proxys de confiance
fact-redis = Redis pour des limites exactes
fact-provider = Connexion par un autre service
fact-traces = Traces
fact-staleness = Réponses de mémoire sans journal des changements
fact-none = aucun
fact-set = réglé
fact-not-set = non réglé
