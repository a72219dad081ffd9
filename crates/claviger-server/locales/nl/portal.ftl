## Portal
portal-title = Uw toegang
portal-in = Uw toegang tot { $name }
portal-back = Terug
portal-leave = Verlaten
portal-left = U hebt deze pagina verlaten.
