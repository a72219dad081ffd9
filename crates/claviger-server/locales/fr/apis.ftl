## La liste des API
nav-apis = API
apis-what = Ce à quoi servent les clés et les jetons : chaque API dit ce qui peut y être permis. Elles appartiennent à toute l’instance.
apis-search = Chercher par nom ou identifiant
api-new = Nouvelle API
api-new-what = Déclarez une de vos API, et ce qui peut y être permis.
api-minutes = { $count ->
    [one] 1 minute
   *[other] { $count } minutes
}
api-seconds = { $count ->
    [one] 1 seconde
   *[other] { $count } secondes
}

## Une API
api-builtin-what = C’est l’API de Claviger lui-même. Elle ne change qu’avec la version de Claviger.
api-permissions-none = Elle n’en déclare aucune : rien ne peut donc y être permis à personne. Déclarez la première.
api-actions = Actions
api-identifier = Identifiant
api-life = Ses jetons d’accès valent
api-format = Ses jetons d’accès sont
api-format-jwt = des JWT signés
api-format-opaque = opaques
api-algorithm = Signés avec
api-origins = Répond sur
api-gateway = Passerelles
api-accepts-basic = Un justificatif peut venir par Authorization: Basic
api-accepts-query = Un justificatif peut venir dans le paramètre { $name }
api-servers = Servie par
api-rules = Règles de route
api-rules-none = Aucune : les passerelles qui s’y fient refusent toute requête à cette API.
api-rules-how = Les règles sont tirées d’un document OpenAPI, ou écrites une à une. Une modification les remplace toutes.
api-rule-request = Requête
api-rule-object = Objet
api-rule-any = aucune : tout justificatif valable
api-rule-filters = L’API s’en tient elle-même aux objets du justificatif

## Le formulaire d’une API
api-change = Modifier l’API
api-change-what = Comment ses jetons sont faits, et où une passerelle trouve un justificatif pour elle.
api-name-hint = Comment on l’appelle.
api-identifier-hint = L’audience de ses jetons : une URI absolue, qui reste pour de bon.
api-identifier-wrong = Ce n’est pas un identifiant : donnez une URI absolue sans fragment, comme https://api.acme.test.
api-identifier-taken = Une autre API a déjà cet identifiant, ou un qui compte pour le même.
api-permissions-hint = Une par ligne : son nom, puis après une espace ce qu’elle permet.
api-permission-wrong = { $name } n’est pas une permission : écrivez-la comme invoices:read.
api-permission-taken = Une autre API en déclare déjà une. Une permission appartient à une seule API.
api-permission-twice = Elle est déjà déclarée.
api-permission-reserved = Ce qui commence par claviger: appartient à l’API de Claviger lui-même.
api-tokens = Jetons d’accès
api-tokens-hint = Pour les services qui les obtiennent au point de terminaison des jetons. Les clés d’API et les jetons personnels ne changent pas.
api-life-hint = Plus c’est court, plus tôt un vérificateur qui ne demande jamais voit un changement. Ceux qui existent gardent leur fin.
api-life-wrong = Choisissez une des durées de la liste.
api-format-hint = Qui reçoit un JWT peut le prouver seul ; d’un jeton opaque, seul Claviger peut dire quelque chose.
api-algorithm-hint = Pour les JWT. ES256 convient, sauf si votre service n’en connaît qu’un autre.
api-origins-hint = Origines publiques, une par ligne. Vide : celle de l’identifiant. Les preuves de possession doivent être pour l’une d’elles.
api-origin-wrong = { $name } n’est pas une origine : écrivez-la comme https://api.acme.test. Au plus 20.
api-gateway-hint = Utile seulement là où une passerelle se tient devant l’API.
api-basic-hint = Pour git, curl -u et d’autres programmes anciens.
api-query = Paramètre de requête
api-query-hint = Les adresses finissent dans les journaux : laissez ceci vide, sauf si un programme n’a pas d’autre moyen.
api-query-wrong = Le nom d’un paramètre compte 1 à 64 lettres, chiffres, _, - ou points.
api-servers-hint = Identifiants des comptes de service qui la servent, un par ligne. Ils peuvent voir les justificatifs qui lui sont présentés.
api-server-unknown = Il n’y a pas de compte de service { $name }.
api-changed-meanwhile = Quelqu’un d’autre a modifié cette API entre-temps. Rien n’a été enregistré : regardez-la de nouveau, puis enregistrez encore.

## Ses permissions
api-permission-new = Déclarer une permission
api-permission-new-what = Dès lors, elle peut être donnée par des rôles, et à des clés et des jetons.
api-permission-name-hint = De quoi il s’agit et ce qui est fait, comme invoices:read. Il reste pour de bon.
api-permission-what = Ce qu’elle permet
api-permission-what-hint = Une ligne, pour qui la choisit dans une liste.
api-permission-change-what = Seul ce qui est dit d’elle change.
api-retire = Retirer
api-retire-title = Retirer cette permission ?
api-retire-what = Elle cesse aussitôt de fonctionner partout, et aucun rôle ni aucune clé ne la donne plus. Déclarée de nouveau, elle devra être donnée de nouveau.
api-retire-rules = Des règles de route la demandent : elle ne peut pas encore être retirée. Modifiez d’abord celles-ci :
api-retire-roles = Rôles qui la perdent :
api-retire-no-credential = Aucune clé ni aucun jeton ne la nomme.
api-retire-credentials = { $count ->
    [one] Une clé ou un jeton la nomme, et la perd.
   *[other] { $count } clés et jetons la nomment, et la perdent.
}
api-retire-more = Seuls { $count } clés et jetons ont été parcourus : d’autres peuvent la perdre aussi.
api-retire-do = Retirer pour de bon
api-delete-title = Supprimer cette API ?
api-delete-what = Ses permissions cessent aussitôt de fonctionner partout, et aucun jeton ne peut plus être obtenu pour elle.
api-delete-permissions = Ces permissions prennent fin :
