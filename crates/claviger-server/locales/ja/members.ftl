## メンバーの一覧
nav-members = メンバー
members-what = この組織に属する人と、ここでできること。
members-search = 名前またはアドレスで検索
members-none = この組織にはまだ誰もいません
members-none-what = 誰かを招待してください。渡すためのリンクが表示され、それを開いた人が、選んだ権限を持つメンバーになります。
member-holds = ロールと権限
member-holds-nothing = なし
member-since = 参加日
member-self = あなた
member-everywhere = インスタンス全体

## 一人のメンバー
member-email = メールアドレス
member-external = 外部 ID
member-tokens = { $count ->
    [0] 使えるトークンはありません
   *[other] 使えるトークン { $count } 個
}
member-holds-nothing-what = 何もありません。属してはいますが、まだ何もできません。
member-may = ここでできること
member-may-what = すべてのロールと権限を合わせたものです（組織が使える範囲内）。この人のトークンがこれを超えることはありません。
member-reaches-further = このメンバーはインスタンス全体を管理しています。変更や削除ができるのは、同じ権限を持つ人だけです。

## 権限
rights-roles = ロール
rights-roles-hint = ロールは、その内容を今も今後も与えます。自分が持っているものを与えることができます。
rights-more-roles = その他のロール（名前）
rights-more-roles-hint = 空白で区切ってください。
rights-permissions = 個別の権限
rights-permissions-hint = どのロールにもないもののために。後で全員分を変えるなら、ロールのほうが簡単です。
rights-too-many = ロールも個別の権限も 100 個までです。
rights-role-unknown = ここに { $name } というロールはありません。ロールのページで確認できます。
rights-permission-unknown = { $name } を宣言している API はありません。

## できることの変更
member-change = 権限を変更
member-change-what = 失われた権限は、ここにあるこの人のすべてのトークンからも直ちに失われます。
member-narrow = 権限を取り上げますか？
member-narrow-what = メンバーと、ここにあるそのすべてのトークンから、直ちに権限が失われます。
member-narrow-do = 取り上げる
member-narrow-no-token = これを使うトークンはありません。
member-narrow-tokens = { $count ->
   *[other] { $count } 個のトークンで、できることが減ります。
}
member-loses = 失うもの：
member-gains = 得るもの：
ask-back = フォームに戻る

## メンバーの削除
member-remove = 削除
member-remove-title = このメンバーを削除しますか？
member-remove-what = この人は { $name } に属さなくなります。持っていたものは元に戻りません。招待すれば再び参加できますが、以前の権限もトークンも戻りません。
member-remove-everywhere = この所属によってインスタンス全体で持っている権限も失われます。
member-remove-no-token = ここで使えるトークンは持っていません。
member-remove-tokens = { $count ->
   *[other] { $count } 個のトークンが完全に失効します。
}
member-remove-do = 完全に削除

## 招待
invitations-title = 招待
invitations-what = 開いた人を一度だけメンバーにするリンク。
invitations-none = 招待はありません
invitations-none-what = この状態の招待はありません。終わったものは 1 か月間表示されます。
invitation-new = 招待する
invitation-new-what = Claviger はメールを送りません。リンクは一度だけ表示されるので、自分で渡してください。
invitation-make = リンクを作成
invitation-email = メールアドレス
invitation-email-hint = 招待する相手。リンクを持つ人は誰でも使えるので、ほかの人には渡さないでください。
invitation-email-wrong = メールアドレスではありません。例：bob@acme.test
invitation-already-member = このアドレスの人はすでにメンバーです。代わりに権限を変更してください。
invitation-nothing = ロールか権限を少なくとも一つ選んでください。何もないメンバーは何もできません。
invitation-ends = リンクの期限
invitation-brings = 与えるもの
invitation-open = 有効
invitation-accepted = 承諾済み
invitation-revoked = 取り消し済み
invitation-expired = 期限切れ
invitation-any = すべて
invitation-made = 招待リンク
invitation-made-what = { $name } に送ってください。再び表示することはできません。なくした場合は、取り消して作り直してください。
invitation-link-gone = リンクは作成時に表示され、再び表示されることはありません。なくした場合は、取り消してもう一度招待してください。
invitation-withdraw = 取り消す
invitation-withdraw-title = この招待を取り消しますか？
invitation-withdraw-what = リンクは直ちに使えなくなります。すでに開いた人はメンバーのままです。

## リンク（一度だけ）
made-link = リンク
made-link-once = このリンクが表示されるのは今だけです。
made-link-sent = 保存しました
