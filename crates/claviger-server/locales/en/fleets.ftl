## Fleets
nav-fleets = Fleets
fleets-what = Devices that nobody sits before: each enrols by a claim code, proves itself by a key of its own, and renews that by itself.
fleets-none = No fleets yet
fleets-none-what = A fleet says what its devices may do. Make one, then a claim code, and the devices enrol by themselves.
fleets-name-hint = What kind of devices they are, such as “gateways”.
fleets-too-many = An organization has at most 100 fleets, and a fleet gives all its devices together at most 20,000 roles and permissions.
fleet-new = New fleet
fleet-new-what = Each of its devices becomes a service account that holds what you choose here, and no more.
fleet-new-do = Make it
fleet-edit-what = What its devices lose, they lose at once, those that are enrolled included. How long keys last counts for keys from now on.
fleet-days = How long a device’s key lasts
fleet-days-hint = In days, from 1 to 825. Devices renew by themselves when a third is left.
fleet-days-wrong = Give a number of days from 1 to 825.
fleet-so-many-days = { $count ->
    [one] 1 day
   *[other] { $count } days
}
fleet-open = Open
fleet-closed = Closed
fleet-close = Close
fleet-reopen = Open again
fleet-closed-what = It is closed: nothing enrols or renews in it. Devices that are enrolled work until their keys end.
fleet-is-closed = The fleet is closed. Open it first.
fleet-gives = What each device may do
fleet-devices = Devices
fleet-devices-what = Those that enrolled and did not end.
fleet-devices-lead = Each is a service account: its page stops or ends it alone.
fleet-devices-none = No devices yet
fleet-devices-none-what = Give a device a claim code; it enrols with that and stands here then.
fleet-key-ends = Key ends
fleet-enrolled = Enrolled
fleet-enrol = On the device
fleet-enrol-what = With a claim code in CLAVIGER_CLAIM_CODE. The private key is made on the device and never leaves it; the first command tells the client id.
fleet-authority = Its certificate authority
fleet-authority-what = It issues certificates to devices that ask for them. Whoever trusts this one lets in devices of this fleet; after the fleet was revoked it is another.
fleet-revoke = Revoke all devices
fleet-revoke-title = Revoke all devices of this fleet?
fleet-revoke-what = Every key, certificate and token of its devices ends at once, and every claim code. This is final: the devices must enrol anew, by new codes.
fleet-revoke-instead = To end a single device, use its own page. To let no more in, close the fleet.
fleet-revoke-do = Revoke all for good
fleet-delete-title = Delete this fleet?
fleet-delete-what = All its devices end with it, with every credential and token of theirs. This is final.
event-closed = Closed
event-reopened = Opened again

## Claim codes
claim-code = Claim code
claim-codes = Claim codes
claim-codes-what = By one of these a device enrols, once, or as many devices as the code says.
claim-codes-none = No claim codes
claim-codes-none-what = Make one for a device, or one with as many uses as there are devices. Those that ended are listed for a month.
claim-codes-too-many = A fleet has at most 100 open claim codes. Take one back, or give one more uses.
claim-code-new = New claim code
claim-code-new-what = Whoever has it gets what the fleet gives, as often as it has uses. It ends if you lose the right to make it, or the fleet gives more than now.
claim-code-uses = How many devices
claim-code-uses-hint = From 1 to 100,000.
claim-code-uses-wrong = Give a number of devices from 1 to 100,000.
claim-code-life = For how long
claim-code-open = Open
claim-code-used-up = Used up
claim-code-used = Used
claim-code-do = What can be done
claim-code-made = Your new claim code
claim-code-keep = Put it on the devices. Nobody can show it again; if it gets lost, take it back and make another.
claim-code-revoke = Take back
claim-code-revoke-title = Take this claim code back?
claim-code-revoke-what = No device enrols by it any more. Those that did are not touched. This is final.
