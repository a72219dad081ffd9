## Frame
signed-in-as = Connecté : { $name }
sign-out = Se déconnecter
languages = Langues
back = Retour à l’accueil
cancel = Annuler
continue = Continuer

## Start
start-title = Accueil
start-hello = Bonjour, { $name }
organizations = Vos organisations
organizations-none = Vous n’appartenez encore à aucune organisation. Demandez une invitation à qui vous a envoyé ici.

## Navigation
skip = Aller au contenu
menu = Menu
menu-close = Fermer
navigation = Navigation
nav-organization = Organisation
nav-overview = Vue d’ensemble
nav-api-keys = Clés d’API
nav-account = Votre compte
nav-tokens = Jetons d’accès personnels
nav-approvals = Approbations
nav-instance = Instance
organizations-title = Organisations
organizations-all = Toutes les organisations
crumbs = Où se trouve cette page
pages = Pages de la liste
page-first = Première page
page-next = Page suivante
search = Chercher par nom
state = État
order = Ordre
filter = Appliquer
filter-clear = Tout afficher
copy = Copier
copied = Copié
save = Enregistrer
never = jamais

## Times
time-now = à l’instant
time-minutes-ago = { $count ->
    [one] il y a 1 minute
   *[other] il y a { $count } minutes
}
time-minutes-ahead = { $count ->
    [one] dans 1 minute
   *[other] dans { $count } minutes
}
time-hours-ago = { $count ->
    [one] il y a 1 heure
   *[other] il y a { $count } heures
}
time-hours-ahead = { $count ->
    [one] dans 1 heure
   *[other] dans { $count } heures
}
time-days-ago = { $count ->
    [one] il y a 1 jour
   *[other] il y a { $count } jours
}
time-days-ahead = { $count ->
    [one] dans 1 jour
   *[other] dans { $count } jours
}
time-months-ago = { $count ->
    [one] il y a 1 mois
   *[other] il y a { $count } mois
}
time-months-ahead = { $count ->
    [one] dans 1 mois
   *[other] dans { $count } mois
}
time-years-ago = { $count ->
    [one] il y a 1 an
   *[other] il y a { $count } ans
}
time-years-ahead = { $count ->
    [one] dans 1 an
   *[other] dans { $count } ans
}

## Done
done-changed = C’est fait. Tous les autres navigateurs sont déconnectés.
done-saved = Enregistré. C’est valable dès maintenant.
done-once = Ce formulaire a déjà été envoyé, rien d’autre n’a été créé. S’il a créé un secret, celui-ci a été montré à ce moment et ne le sera plus.
done-disabled = Désactivé : refusé dès maintenant, jusqu’à ce que quelqu’un le réactive.
done-enabled = Réactivé : il fonctionne de nouveau.
done-overlap = L’ancien secret a pris fin. Seul le nouveau fonctionne.
done-revoked = Révoqué. Il est refusé ici immédiatement, et sur tout autre nœud en moins d’une seconde.
done-rotated = C’est fait. La nouvelle clé est publiée et signera dans dix minutes ; rien ne cesse de fonctionner.
done-replaced = C’est fait. Ce que les clés précédentes ont signé est désormais refusé.
done-made = C’est créé.
done-removed = Retrait effectué. Rien de ce que cette personne avait ici ne fonctionne plus.
done-withdrawn = Invitation retirée. Son lien ne fonctionne plus.
done-deleted = Suppression effectuée.
done-passkey = Votre clé d’accès est ajoutée. Connectez-vous avec elle la prochaine fois.
done-passkey-removed = La clé d’accès est supprimée. Tous les autres navigateurs sont déconnectés.

## Trouble
trouble-title = Cela n’a pas fonctionné
trouble-form = Cette page est restée ouverte trop longtemps, ou votre navigateur ne garde pas les cookies. Rien n’a changé : revenez en arrière, rechargez la page et réessayez.
trouble-unreadable = Ce que votre navigateur a envoyé est illisible.
trouble-link = Ce lien a déjà servi, est trop ancien ou incomplet. Demandez-en un nouveau.
trouble-portal = Cette page est restée ouverte trop longtemps ou a été quittée, son lien a déjà servi, ou votre navigateur ne garde pas les cookies ici. Revenez d’où vous veniez et ouvrez-la de nouveau.
trouble-withheld = Cela ne vous revient pas : il faut plus de droits que vous n’en avez ici, ou cela concerne quelqu’un qui agit sur toute l’instance. Rien n’a été modifié.
trouble-absent = Cette page n’existe pas, ou pas pour vous.
trouble-method = Cette adresse reçoit ce qu’un formulaire envoie ; ce n’est pas une page à ouvrir. Revenez en arrière et utilisez le formulaire.
trouble-provider = L’autre service ne répond pas, ou pas comme il le devrait. Réessayez dans un instant, ou connectez-vous avec votre mot de passe.
trouble-provider-not-ours = Cette connexion n’a pas été commencée dans ce navigateur, a duré trop longtemps ou a déjà servi. Recommencez.
trouble-provider-denied = L’autre service ne vous a pas laissé entrer. Recommencez, ou connectez-vous avec votre mot de passe.
trouble-provider-unverified = L’autre service n’a pas confirmé votre adresse e-mail et ne peut donc pas nous dire qui vous êtes ici. Faites-y confirmer l’adresse, puis reconnectez-vous.
trouble-provider-unknown = Personne ne peut se connecter ici avec ce que l’autre service nous a dit de vous. Demandez un compte ou une invitation à un administrateur.
trouble-provider-not-proven = L’autre service n’a pas montré que vous êtes la personne connectée ici. Réessayez avec le même compte.
trouble-throttled = Trop d’essais. Attendez quelques minutes et réessayez.
trouble-busy = Il y a trop à faire en ce moment. Réessayez dans un instant.
trouble-defect = Quelque chose est cassé de notre côté. Le journal en dit plus.
