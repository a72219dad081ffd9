## Devices
device-code-title = Connect a device
device-code = Code of the device
device-code-hint = Eight letters that your device shows. With the dash or without, in capitals or not.
device-code-wrong = This code does not count: it is wrong, or too old. Look at your device, or begin there again.
device-title = May this device act for you?
device-warning = Did you begin this yourself, just now, on this device? If somebody sent you the code or the address of this page, deny it: they would act in your name.
device-client = Program
device-client-cli = Claviger’s command line
device-client-of = of { $name }
device-name = What the device calls itself
device-address = From the address
device-age = { $count ->
    [0] Less than a minute ago
    [one] One minute ago
   *[other] { $count } minutes ago
}
device-choose = In which organization?
device-other-organizations = Or in another one:
device-everywhere = The device would reach all organizations of this instance, and not this one alone, with:
device-left-out = Asked for as well, but you do not hold it there, so it is left out:
device-wants-approval = { $name } wants an approval of every token: this one works once an administrator has approved it.
device-nothing = You hold nothing of what this device asks for. You cannot approve it; deny it, or ask an administrator.
device-refused = The rules of the organization do not allow this token.
device-approved = Approved. Go back to your device: it goes on by itself. If it was not you who began it, deny it now.
device-redeemed = Approved, and the device has its token. If that was a mistake, revoke it among your tokens.
device-by-other = Somebody else approved this: the device acts in their name and not in yours. If you did not mean that, begin again on the device.
device-denied = Denied. The device gets nothing.
