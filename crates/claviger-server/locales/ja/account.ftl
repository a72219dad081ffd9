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
