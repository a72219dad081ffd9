## Frame
signed-in-as = { $name } としてサインイン中
sign-out = サインアウト
languages = 言語
back = 最初のページへ戻る
cancel = キャンセル
continue = 続ける

## Start
start-title = ホーム
start-hello = こんにちは、{ $name } さん
organizations = 所属する組織
organizations-none = まだどの組織にも所属していません。案内した人に招待を頼んでください。

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
nav-instance = インスタンス
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
done-once = このフォームはすでに送信されているため、新しくは作成されていません。シークレットが作成された場合、それはそのとき表示され、再び表示されることはありません。
done-disabled = 無効にしました。誰かが有効にするまで拒否されます。
done-enabled = 有効にしました。再び使えます。
done-overlap = 古いシークレットは終了しました。新しいものだけが使えます。
done-revoked = 失効させました。ここでは直ちに、ほかのノードでは1秒以内に拒否されます。
done-rotated = 交代しました。新しい鍵は公開され、10分後に署名を始めます。使えなくなるものはありません。
done-replaced = 置き換えました。これまでの鍵で署名されたものは、今後拒否されます。
done-made = 作成しました。
done-removed = 削除しました。この人がここで持っていたものは、もう何も使えません。
done-withdrawn = 取り消しました。リンクはもう使えません。
done-deleted = 削除しました。
done-passkey = パスキーを追加しました。次回からこれでサインインできます。
done-passkey-removed = パスキーを削除しました。ほかのブラウザーはすべてサインアウトされました。

## Trouble
trouble-title = うまくいきませんでした
trouble-form = このページを長く開いたままだったか、ブラウザーがクッキーを保存していません。何も変更されていません。戻ってページを再読み込みし、もう一度試してください。
trouble-unreadable = ブラウザーから送られた内容を読み取れませんでした。
trouble-link = このリンクは使用済みか、古いか、不完全です。新しいリンクを頼んでください。
trouble-portal = このページを長く開いたままだったか終了したか、リンクが使用済みか、ブラウザーがここでクッキーを保存していません。元のページに戻って、もう一度開いてください。
trouble-withheld = この操作はできません。ここでの権限が足りないか、インスタンス全体に権限を持つ相手に関わるものです。何も変更されていません。
trouble-absent = このページは存在しないか、あなたには表示できません。
trouble-method = このアドレスはフォームの送信先であり、開けるページではありません。戻ってフォームを使ってください。
trouble-provider = 外部サービスが応答しないか、正しく応答しませんでした。少し後でもう一度試すか、パスワードでサインインしてください。
trouble-provider-not-ours = このサインインは、このブラウザーで始めたものではないか、時間がかかりすぎたか、すでに使われています。最初からやり直してください。
trouble-provider-denied = 外部サービスがサインインを許可しませんでした。最初からやり直すか、パスワードでサインインしてください。
trouble-provider-unverified = 外部サービスがメールアドレスを確認していないため、ここでのご本人を特定できません。外部サービスでアドレスを確認してから、もう一度サインインしてください。
trouble-provider-unknown = 外部サービスから伝えられた情報では、ここにサインインできる人がいません。アカウントまたは招待を管理者に頼んでください。
trouble-provider-not-proven = 外部サービスは、あなたがここにサインインしている本人であることを示しませんでした。同じアカウントでもう一度試してください。
trouble-throttled = 試行が多すぎます。数分待ってから、もう一度試してください。
trouble-busy = ただいま混み合っています。少し後でもう一度試してください。
trouble-defect = こちら側に不具合があります。詳しくはログにあります。
