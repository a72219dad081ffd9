## Devices
device-code-title = デバイスを接続する
device-code = デバイスのコード
device-code-hint = デバイスに表示された8文字です。ハイフンの有無、大文字と小文字は問いません。
device-code-wrong = このコードは無効です。間違っているか、期限が切れています。デバイスを確認するか、デバイスで最初からやり直してください。
device-title = このデバイスにあなたの代わりに操作させますか
device-warning = これは、たった今、このデバイスであなた自身が始めたものですか。コードやこのページのアドレスを誰かから受け取った場合は、却下してください。その人があなたの名前で操作することになります。
device-client = プログラム
device-client-cli = Clavigerのコマンドライン
device-client-of = { $name } のもの
device-name = デバイスが名乗る名前
device-address = 接続元アドレス
device-age = { $count ->
    [0] 1分未満前
   *[other] { $count } 分前
}
device-choose = どの組織で使いますか
device-other-organizations = ほかの組織:
device-everywhere = このデバイスは、この組織だけでなく、このインスタンスのすべての組織に対して次の権限を持つことになります。
device-left-out = 次のものも求められましたが、その組織であなたが持っていないため除かれます:
device-wants-approval = { $name } ではすべてのトークンに承認が必要です。管理者が承認すると使えるようになります。
device-nothing = このデバイスが求めるものを、あなたは何も持っていません。承認はできません。却下するか、管理者に相談してください。
device-refused = 組織の規則により、このトークンは許可されません。
device-approved = 承認しました。デバイスに戻ってください。自動的に続行します。自分で始めたものでない場合は、今すぐ拒否してください。
device-redeemed = 承認済みで、デバイスはトークンを受け取りました。間違いだった場合は、トークンの一覧から失効させてください。
device-by-other = 別の人が承認しました。デバイスはあなたではなくその人の名前で動作します。意図したものでない場合は、デバイスでやり直してください。
device-denied = 却下しました。デバイスは何も受け取りません。
