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
