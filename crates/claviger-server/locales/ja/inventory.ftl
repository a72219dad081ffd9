## Tokens of members
nav-inventory = メンバーのトークン
inventory-title = メンバーのトークン
inventory-what = この組織で使われるすべての個人アクセストークンです。無効化と失効ができます。権限とシークレットは所有者のものです。
inventory-of = { $name } のトークン
inventory-owner = 所有者（名前またはメールアドレス）
inventory-waiting = 承認を待っているトークン
inventory-waiting-all = 承認待ちをすべて表示
inventory-none = トークンはまだありません
inventory-none-what = メンバーは「個人アクセストークン」で作成します。この組織用に作成されたものがここに表示されます。

## Many at once
inventory-revoke-all = これらをすべて失効…
inventory-revoke-title = 複数のトークンを失効させますか
inventory-more = 調べたのは { $count } 個のトークンだけで、すべての数ではありません。戻って、先に所有者を選んでください。
inventory-matched = { $count } 個のトークンが失効します。
inventory-anybody = すべて
inventory-any-live = 失効も期限切れもしていないもの
inventory-leaves-out = インスタンス全体の管理者のトークンは含まれません。同じ管理者だけが失効させられます。
inventory-nothing-ends = 該当する有効なトークンはありません。失効させるものはありません。
inventory-first-of-them = そのうち新しいものを表示しています。
inventory-revoke-what = これらのトークンを使っているものは直ちに動かなくなります。元には戻せません。
inventory-type = 確認のため { $count } と入力してください
inventory-count-wrong = 失効するトークンの数を入力してください。まだ何も失効していません。
inventory-count-changed = その間に数が変わりました。もう一度確認してください。まだ何も失効していません。
inventory-too-late = このページを開いてから1時間以上経過しました。もう一度確認してください。まだ何も失効していません。
inventory-revoke-done = 完了しました
inventory-revoked = { $count } 個のトークンを失効させました。ここでは直ちに、ほかのノードでは1秒以内に拒否されます。
inventory-back = トークンの一覧へ戻る
inventory-see-revoked = 失効したものを見る
