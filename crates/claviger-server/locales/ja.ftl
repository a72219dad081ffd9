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

## Navigation
skip = 本文へ移動
menu = メニュー
menu-close = 閉じる
navigation = ナビゲーション
nav-organization = 組織
nav-overview = 概要
nav-api-keys = API キー
nav-account = アカウント
nav-tokens = 個人アクセストークン
nav-approvals = 承認
organizations-title = 組織の一覧
organizations-all = すべての組織
crumbs = このページの場所
pages = 一覧のページ
page-first = 最初のページ
page-next = 次のページ
search = 名前で検索
state = 状態
order = 並び順
filter = 適用
filter-clear = すべて表示
copy = コピー
copied = コピーしました
save = 保存
never = なし

## Times
time-now = たった今
time-minutes-ago = { $count } 分前
time-minutes-ahead = { $count } 分後
time-hours-ago = { $count } 時間前
time-hours-ahead = { $count } 時間後
time-days-ago = { $count } 日前
time-days-ahead = { $count } 日後
time-months-ago = { $count } か月前
time-months-ahead = { $count } か月後
time-years-ago = { $count } 年前
time-years-ahead = { $count } 年後

## Done
done-changed = 完了しました。ほかのブラウザはすべてサインアウトされました。
done-saved = 保存しました。今から有効です。
done-once = このフォームはすでに送信されているため、新しくは作成されていません。シークレットはそのとき表示され、再び表示されることはありません。
done-disabled = 無効にしました。誰かが有効にするまで拒否されます。
done-enabled = 有効にしました。再び使えます。
done-overlap = 古いシークレットは終了しました。新しいものだけが使えます。
done-revoked = 失効させました。ここでは直ちに、ほかのノードでは1秒以内に拒否されます。

## What needs attention
overview-keys = 使用できる API キー: { $count } 個
attention = 確認が必要なもの
attention-none = 確認が必要なものはありません
attention-none-what = まもなく終了するキー、使われていないキー、期限のないキー、待機中の承認はありません。
attention-rolling = 古いシークレットがまだ使えるキー: { $count } 個
attention-soon = 14日以内に終了するキー: { $count } 個
attention-idle = 90日間使われていないキー: { $count } 個
attention-endless = 期限のないキー: { $count } 個

## States
status-active = 有効
status-revoked = 失効
status-disabled = 無効
status-expired = 期限切れ
status-not-yet-valid = 開始前
status-pending-approval = 承認待ち
rolling = シークレット2つ
filter-any-state = すべて
filter-soon = 14日以内に終了
filter-idle = 90日間未使用
filter-endless = 期限なし
filter-rolling = 古いシークレットが有効
order-newest = 新しい順
order-oldest = 古い順
order-name = 名前順
order-end = 終了が近い順

## API keys
keys-what = この組織のプログラムや連携が身元を示すために使うものです。
keys-none = API キーはまだありません
keys-none-what = キーがあれば、選んだ権限だけで1つのプログラムが API を呼び出せます。停止なしで更新でき、いつでも失効させられます。
keys-none-such = 見つかりません
keys-none-such-what = 条件に合うものはありません。
service-account = サービスアカウント
key-new = 新しい API キー
key-new-title = 新しい API キー
key-new-what = シークレットは次のページで一度だけ表示されます。
whose-title = どのサービスアカウントのキーにしますか。
whose-what = サービスアカウントは1つのプログラムや連携を表します。そのキーは、アカウントが持つ以上のことはできません。
whose-other = 別のものを選ぶ
account-new = 新しいサービスアカウント
account-name = 新しいサービスアカウントの名前
account-name-hint = キーを使うプログラムの名前です（例: 請求同期）。下で選ぶ権限だけが与えられます。
accounts-none-such = その名前のサービスアカウントはありません。
accounts-more = ほかにもあります。名前で検索してください。

## Tokens
tokens-what = トークンを使うと、自分のスクリプトやツールが、許可した範囲で自分として動作します。
tokens-none = トークンはまだありません
tokens-none-what = ツールごとに作ると、ほかに影響なく1つだけ終了できます。
token-new = 新しいトークン
token-new-title = 新しい個人アクセストークン
token-new-what = あなた自身ができる以上のことはできません。シークレットは次のページで一度だけ表示されます。
where-title = どの組織で使いますか。
where-what = トークンは1つの組織でのみ使えます。
where-other = 別の組織を選ぶ

## The form of a key or token
form-wrong = まだ保存できません。
form-cut = 入力が長すぎたため、サインインの間に保持できませんでした。名前だけが残っています。残りをもう一度入力してください。
form-name = 名前
form-name-hint = 用途と保管場所がわかる名前にします。「キー2」より「本番サーバー」のほうが役立ちます。
form-environment = 環境
form-live = 本番
form-test = テスト
form-test-hint = 文字列を見ればわかり、API は別扱いにできます。
environment-test = テスト
form-permissions = 権限
form-permissions-hint = 必要なものだけを選びます。盗まれた場合にできるのもそれだけです。
form-permissions-none = ここで与えられる権限はありません。
form-filter = 権限を絞り込む
picker-every-api = 所有者が API でできるすべて（今後の変更も含む）
picker-every-builtin = 所有者が Claviger でできるすべて（今後の変更も含む）
picker-lost = 無効なもの
picker-lost-what = 所有者はこの権限をもう持っていません。
form-life = 終了
form-days = { $count } 日後
form-on-a-date = 日付を指定…
form-never = 期限なし
form-keep-end = 変更しない: { $when }
form-keep-endless = 変更しない: 期限なし
form-until = 最終日
form-until-hint = 「日付を指定」の場合のみ。その日の終わり（UTC）まで使えます。
form-restrictions = 制限
form-objects = 対象オブジェクトの限定
form-objects-hint = 1行に1つ（例: base:app7、repo:acme/*）。空欄はすべてのオブジェクト。
form-objects-required = この組織ではオブジェクトの指定が必要です。
form-networks = 接続元ネットワークの限定
form-networks-hint = 1行に1つ（例: 203.0.113.0/24）。空欄はどこからでも。
form-rate = 回数の上限
form-quota = 暦期間あたりの上限
form-limits-kept = 複数の回数制限があり、API またはコマンドラインで変更できます。ここでは変わりません。
per-second = 毎秒
per-minute = 毎分
per-hour = 毎時
per-day = 毎日
per-month = 毎月
quota-per-day = 1日あたり { $count }
quota-per-month = 1か月あたり { $count }
form-life-wrong = 一覧から終了を選んでください。
form-date-wrong = 最終日を日付で指定してください。
form-date-unused = 最終日は「日付を指定」の場合だけ使われます。それを選ぶか、日付を空欄にしてください。
form-end-required = この組織では期限が必要です。
form-end-past = 最終日が過去になっています。
form-end-late = この組織で許される期限を超えています。
form-number-wrong = 上限は1以上の整数、または空欄です。
form-too-many = 権限の数が多すぎます。
form-permissions-choose = 権限を1つ以上選んでください。
form-permission-wrong = { $name } は与えられません。所有者が持っていないか、組織の規則で禁止されています。
form-object-wrong = { $name } はオブジェクトではありません。base:app7 のように「種類:ID」で書きます。最大100件。
form-network-wrong = { $name } はネットワークではありません。203.0.113.0/24 のように書きます。最大100件。
form-beyond = これを与えることはできません。必要な { $permission } を持っていません。
form-kind = この組織の規則では、この種類の認証情報は使えません。
form-pending = このままの内容で承認を待っています。別のものを作るか、承認後に変更してください。
form-revoked = その間に失効しました。元には戻せません。別のものを作ってください。
form-expired = 期限が切れています。先に期限を延ばしてください。
form-refused = できません。その間に何かが変わった可能性があります。もう一度確認してください。

## A secret, once
made-key = 新しい API キー（発行済み）
made-token = 新しいトークン（発行済み）
made-once = このシークレットは今しか表示されません。
made-keep = シークレットストアなど、プログラムが読める場所に保存してください。再表示はできません。なくした場合は更新してください。
made-secret = シークレット
made-try = 試してみる
made-stored = 保存しました
made-waits = 承認されると使えるようになります。

## One key or token
secrets = シークレットの一覧
secret = シークレット
made = 作成
ends = 終了
last-used = 最終使用
used-from = { $address } から
generation-current = 現在
generation-retiring = まだ有効
generation-retired = 終了済み
rolling-title = 古いシークレットがまだ使えます
rolling-what = 誰も使わなくなったら終了してください。最後にいつどこから使われたかは上の表にあります。
rolling-end = 古いシークレットを今すぐ終了
usage-title = 過去30日間の使用
usage-none = この期間の使用はありません。
usage-valid = 許可 { $count }
usage-throttled = 上限超過 { $count }
usage-refused = 拒否 { $count }
facts-title = 詳細
limits = 回数
limits-none = 個別の上限なし
bound = 証明
bound-what = 結び付けられた鍵または証明書と一緒でなければ使えません。
history-title = 履歴
by-system = Claviger 自身
event-created = 作成されました
event-updated = 変更されました
event-disabled = 無効になりました
event-enabled = 有効になりました
event-approved = 承認されました
event-denied = 却下されました
event-rolled = 新しいシークレット
event-overlap-ended = 古いシークレットを早期に終了
event-revoked = 失効しました
event-retired-secret-used = 終了したシークレットが使われました
revoked-final = 失効済みです。
disabled-for-now = 現在は無効です。
disable = 無効にする
disable-for-good = 再び有効にするには、このキーやトークンの権限をすべて持っている必要があります。あなたは持っていないため、無効にすることはできますが、有効に戻すことはできません。
enable = 有効にする
edit = 編集
edit-title = 編集する
edit-what = 取り消した権限は直ちにすべての場所で失われます。シークレットは変わりません。
edit-changed-meanwhile = その間に別の人が変更しました。入力した内容と異なる項目には、現在の値を横に示しています。保存すると入力した内容に置き換わります。
edit-now = 現在の値: { $value }
roll = 更新
roll-title = 新しいシークレットを作る
roll-what = ID、権限、履歴はそのままです。古いシークレットは選んだ期間使えるので、停止なしで入れ替えられます。
roll-ends-older = 以前のシークレットがまだ使えますが、今すぐ終了します。
roll-meanwhile = その間に別の人が新しいシークレットを発行しました（{ $when }）。ほかには何も発行されていません。もう一度更新すると、そのシークレットと新しいもの以外はすべて終了します。まだ使っているプログラムがあるかもしれません。
roll-overlap = 古いシークレットの有効期間
roll-do = 新しいシークレットを発行
overlap-none = なし（今すぐ終了）
overlap-hour = 1時間
overlap-day = 1日
overlap-week = 1週間
overlap-month = 30日
revoke = 失効させる
revoke-key = このキーを失効させますか。
revoke-token = このトークンを失効させますか。
revoke-what = これを使っているものは直ちに動かなくなります。元には戻せません。
revoke-reason = 理由
revoke-do = 完全に失効させる
reason-unspecified = 指定なし
reason-superseded = 別のものに置き換えた
reason-compromised = 漏えいの可能性がある
reason-owner-left = 所有者がいなくなった
reason-policy = 規則により終了
reason-unused = 使われていない

## Trouble
trouble-title = うまくいきませんでした
trouble-form = このページを長く開いたままだったか、ブラウザーがクッキーを保存していません。何も変更されていません。戻ってページを再読み込みし、もう一度試してください。
trouble-unreadable = ブラウザーから送られた内容を読み取れませんでした。
trouble-link = このリンクは使用済みか、古いか、不完全です。新しいリンクを頼んでください。
trouble-portal = このページを長く開いたままだったか終了したか、リンクが使用済みか、ブラウザーがここでクッキーを保存していません。元のページに戻って、もう一度開いてください。
trouble-withheld = この操作はできません。ここでの権限が足りないか、インスタンス全体に権限を持つ相手に関わるものです。何も変更されていません。
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
