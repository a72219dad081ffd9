## Portal
portal-title = Uw toegang
portal-in = Uw toegang tot { $name }
portal-back = Terug
portal-back-to = Terug naar { $name }
portal-leave = Verlaten
portal-left = U hebt deze pagina verlaten.
portal-old = U bent hier langer dan tien minuten geleden gekomen. U kunt uw tokens nog bekijken en intrekken. Ga terug en open deze pagina opnieuw om er een te maken of te wijzigen.
portal-too-old = U bent hier langer dan tien minuten geleden gekomen. Ga terug en open deze pagina opnieuw om een token te maken of te wijzigen. Er is niets gewijzigd.
portal-secret-hint = Dubbelklik erop of ga er met de Tab-toets naartoe om het geheel te selecteren.
