## Frame
signed-in-as = { $name } としてサインイン中
sign-out = サインアウト
languages = 言語
back = 最初のページへ戻る
cancel = キャンセル
continue = 続ける

## Signing in
sign-in-title = サインイン
sign-in = サインイン
sign-in-failed = アドレスとパスワードの組み合わせが正しくありません。両方を確認してください。何度か失敗したときは、少し待ってください。
email = メールアドレス
password = パスワード
other-ways = ほかのサインイン方法
sign-in-with = { $name } でサインイン
provider-leaving = { $name } に移動し、その後ここに戻ります。
forgot-password = パスワードを忘れたときは、管理者が新しいパスワードのためのリンクを発行できます。
second-factor-title = 第二段階
second-factor-hint = 認証アプリに表示される6桁の数字を入力してください。アプリを使えないときは、リカバリーコードを入力してください。
code = コード
code-wrong = このコードは使えません。間違っているか、古いか、すでに使われています。次のコードを待ってください。
start-again = 最初からやり直す
again-title = ご本人の確認
again-why = これから行う操作は後まで残ります。もう一度、ご本人であることを確認してください。
again-other-way = このアカウントにはパスワードもアプリもありません。一度サインアウトし、来たときと同じ方法でサインインしてください。
again-wrong = パスワードまたはコードが使えません。両方を確認し、次のコードを待ってください。
link-for = このリンクで { $name } としてサインインします。使えるのは一度だけです。

## Passwords
password-current = 現在のパスワード
password-new = 新しいパスワード
password-new-again = 新しいパスワード（もう一度）
password-change = 新しいパスワードを設定
password-rules = 12文字以上。互いに関係のないいくつかの言葉がよいパスワードになります。数字や記号は必須ではありません。
password-ends-sessions = ほかのブラウザーはすべてサインアウトされます。
password-wrong = パスワードが違います。
password-differs = 二つの新しいパスワードが一致しません。
password-too-short = 新しいパスワードが短すぎます。12文字以上にしてください。
password-too-long = 新しいパスワードが長すぎます。256文字以下にしてください。
password-weak = 新しいパスワードはすぐに推測されます。互いに関係のない言葉を並べるなど、もっと長くしてください。
password-reset-title = パスワードの設定
password-reset-for = 対象: { $name }

## Invitations
invitation-title = 招待
invitation-to = { $name } への招待
invitation-accept = 参加する
invitation-known = アドレス { $name } にはアカウントがあります。サインインして参加してください。
invitation-other-account = 別のアドレスのアカウントを持っています
your-name = お名前
name-wrong = 名前は目に見える1〜100文字にしてください。

## Security
security-title = セキュリティ
changed = 完了しました。ほかのブラウザーはすべてサインアウトされました。
authenticator-title = 認証アプリ
authenticator-on = { $since } から有効です。
authenticator-off = 無効です。アプリを使えば、パスワードを盗まれただけでは何も開きません。
authenticator-add = アプリを設定する
authenticator-remove = アプリを外す
authenticator-scan = 認証アプリでこの画像を読み取ってください。
authenticator-picture = 認証アプリのためのQRコード
authenticator-type = または、アプリに次の文字を入力してください。
authenticator-code = 続いて、アプリに表示されるコードを入力してください
authenticator-enable = 有効にする
recovery-codes-left = { $count ->
    [0] リカバリーコードは残っていません。
   *[other] リカバリーコードは残り { $count } 個です。
}
recovery-codes-make = 新しいリカバリーコードを作る
recovery-codes-title = リカバリーコード
recovery-codes-why = アプリを失ったとき、それぞれのコードが一度だけアプリの代わりになります。表示されるのは今だけです。電話がなくても見つかる場所に保管してください。
recovery-codes-kept = 保管しました
sessions-title = サインイン中の場所
session-browser = ブラウザー
session-address = アドレス
session-started = 開始
session-used = 最後の利用
session-this = ここをサインアウト
session-end = そこをサインアウト
session-end-others = ほかのすべてをサインアウト

## Start
start-title = ホーム
start-hello = こんにちは、{ $name } さん
organizations = 所属する組織
organizations-none = まだどの組織にも所属していません。案内した人に招待を頼んでください。

## Portal
portal-title = アクセス
portal-in = { $name } へのアクセス
portal-back = 戻る
portal-leave = 終了
portal-left = このページを終了しました。

## Approvals
approvals-title = 承認待ちのトークン
approvals-none = 承認待ちはありません。
approvals-more = ほかにもあります。ここに表示しているのは新しいものです。
approvals-waiting = { $count ->
   *[other] { $count } 個のトークンがあなたの承認を待っています。
}
approval-title = このトークンを使えるようにしますか
approval-name = 名前
approval-owner = 所有者
approval-address-claimed = このアドレスが本人のものであることは確認されていません。このアドレスへの招待が受け入れられただけです。
approval-maker = 作成者
approval-by-owner = 所有者本人
approval-by-operator = このインスタンスの運用者
approval-organization = 組織
approval-permissions = できること
approval-permissions-none = なし
approval-every-api = 所有者がAPIでできることすべて（現在も今後も）
approval-every-builtin = 所有者がClavigerでできることすべて（現在も今後も）
approval-at-present = 現在の内容:
approval-at-present-none = 現在は何もできません。
approval-objects = 対象
approval-objects-all = すべての対象
approval-networks = 接続元
approval-networks-all = どこからでも
approval-starts = 開始
approval-ends = 期限
approval-ends-never = 無期限
approval-since = 申請日時
approval-look-alike = よく確認してください。この組織には、これと見分けにくい名前の、または同じ名前で所有者が異なるキーやトークンがあります。
approval-reaches-further = 所有者はインスタンス全体を管理しています。決定できるのは、同じくインスタンス全体を管理する人だけです。
approval-approve = 承認する
approval-deny = 却下する
approval-approved = { $name } が承認しました。決めることはもうありません。
approval-denied = 却下されました。一度も使われないまま終了しました。
approval-ended = 決定の前に終了しました。一度も使われていません。

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

## Trouble
trouble-title = うまくいきませんでした
trouble-form = このページを長く開いたままだったか、ブラウザーがクッキーを保存していません。何も変更されていません。戻ってページを再読み込みし、もう一度試してください。
trouble-unreadable = ブラウザーから送られた内容を読み取れませんでした。
trouble-link = このリンクは使用済みか、古いか、不完全です。新しいリンクを頼んでください。
trouble-portal = このページを長く開いたままだったか終了したか、リンクが使用済みか、ブラウザーがここでクッキーを保存していません。元のページに戻って、もう一度開いてください。
trouble-absent = このページは存在しないか、あなたには表示できません。
trouble-provider = 外部サービスが応答しないか、正しく応答しませんでした。少し後でもう一度試すか、パスワードでサインインしてください。
trouble-provider-not-ours = このサインインは、このブラウザーで始めたものではないか、時間がかかりすぎたか、すでに使われています。最初からやり直してください。
trouble-provider-denied = 外部サービスがサインインを許可しませんでした。最初からやり直すか、パスワードでサインインしてください。
trouble-provider-unverified = 外部サービスがメールアドレスを確認していないため、ここでのご本人を特定できません。外部サービスでアドレスを確認してから、もう一度サインインしてください。
trouble-provider-unknown = 外部サービスから伝えられた情報では、ここにサインインできる人がいません。アカウントまたは招待を管理者に頼んでください。
trouble-provider-not-proven = 外部サービスは、あなたがここにサインインしている本人であることを示しませんでした。同じアカウントでもう一度試してください。
trouble-throttled = 試行が多すぎます。数分待ってから、もう一度試してください。
trouble-busy = ただいま混み合っています。少し後でもう一度試してください。
trouble-defect = こちら側に不具合があります。詳しくはログにあります。
