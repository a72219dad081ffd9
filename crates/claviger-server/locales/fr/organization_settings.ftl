## Une organisation
nav-settings = Réglages
organization-new = Nouvelle organisation
organization-new-what = Un client, ou une partie de votre entreprise. Ce qu’elle contient est séparé de tout le reste.
organization-change = Modifier l’organisation
organization-change-what = Comment elle s’appelle, et comment se présente son portail.
organization-name-hint = Comment on l’appelle.
organization-slug = Nom court
organization-slug-hint = Il figure dans les adresses de ces pages et sur la ligne de commande. Avec un autre, les anciennes adresses ne mènent plus nulle part.
organization-new-slug-hint = Il figure dans les adresses de ces pages. Vide : tiré du nom.
organization-slug-wrong = Un nom court compte 1 à 63 caractères parmi a-z, 0-9 et -, et ne commence ni ne finit par -.
organization-slug-taken = Une autre organisation a déjà ce nom court. Choisissez-en un autre.
organization-external-hint = Comment votre propre produit l’appelle. Vide : rien.
organization-external-wrong = Un identifiant externe compte 1 à 255 caractères ASCII visibles.
organization-external-taken = Une autre organisation a déjà cet identifiant externe.
organization-portal = Son portail
organization-portal-hint = Là où les utilisateurs de votre produit créent leurs propres jetons.
organization-portal-name = Nom du portail
organization-portal-name-hint = Le nom de votre produit. Il figure en haut de chaque page. Vide : le nom de l’organisation.
organization-portal-name-none = celui de l’organisation
organization-portal-color = Couleur du portail
organization-portal-color-hint = # et six chiffres hexadécimaux. Là où le texte serait difficile à lire, une nuance en est utilisée. Vide : celle de Claviger.
organization-portal-color-none = celle de Claviger
organization-portal-color-wrong = Une couleur est # suivi de six chiffres hexadécimaux, comme #3550cb.
organization-origins = Origines de son portail
organization-origins-hint = Où son portail peut se tenir dans un cadre, et vers où il peut ramener : https://hôte, une par ligne. Au plus 20.
organization-origins-none = aucune : son portail ne se tient dans aucun cadre
organization-ceiling = Ce qu’elle peut utiliser
organization-ceiling-hint = Une permission par ligne, ou * pour toutes les API. Vide : la valeur par défaut, soit toutes les API et ce que Claviger offre à une organisation. Ce qui est retiré ici cesse aussitôt de fonctionner pour tous ceux qui s’y trouvent.
organization-ceiling-default = La valeur par défaut : toutes les API, et ce que Claviger offre à une organisation
organization-of-instance = Pour les administrateurs de l’instance
organization-of-instance-hint = Seul qui administre toute l’instance voit et modifie ceci.
organization-stopped = Rien n’y fonctionne pour l’instant : elle a été désactivée.

## L’arrêter et y mettre fin
organization-disable-title = Désactiver cette organisation ?
organization-disable-what = Plus rien n’y fonctionne, jusqu’à ce que quelqu’un l’active : ni clé, ni jeton, et ses membres n’accèdent plus à ses pages.
organization-disable-credentials = { $count ->
    [0] Aucune de ses clés et aucun de ses jetons ne fonctionne à présent.
    [one] Une clé ou un jeton cesse de fonctionner.
   *[other] { $count } clés et jetons cessent de fonctionner.
}
organization-delete-title = Supprimer cette organisation ?
organization-delete-what = Toutes ses clés et tous ses jetons prennent fin pour de bon, et personne ne la trouve plus. C’est définitif.
organization-delete-credentials = { $count ->
    [0] Aucune de ses clés et aucun de ses jetons ne fonctionne à présent.
    [one] Une clé ou un jeton est révoqué pour de bon.
   *[other] { $count } clés et jetons sont révoqués pour de bon.
}
organization-delete-fleets = Elle a des groupes d’appareils : elle ne peut pas encore être supprimée. Supprimez-les d’abord.
organization-is-own = Vous y appartenez vous-même, et perdez ce que vous avez par là, ici et dans toute l’instance.
