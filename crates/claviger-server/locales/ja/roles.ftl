## ロールの一覧
nav-roles = ロール
roles-what = 名前の付いた権限のまとまりです。ロールを変更すると、それを持つ全員の権限が直ちに変わります。
role-builtin = 組み込み
role-of-instance = インスタンス全体
role-new = 新しいロール
role-new-what = この組織の中でだけ与えることができます。
role-new-everywhere = インスタンスの新しいロール
role-new-everywhere-what = すべての組織で与えることができます。

## 一つのロール
role-builtin-what = Claviger が用意したロールです。Claviger のバージョンが変わるときにだけ変わります。別のものが必要なら、独自のロールを作ってください。
role-empty = 何も含まず、何も与えません。
role-holders = ここで持っている人
role-holders-none = ここで持っている人はいません。メンバーのページで与えてください。
role-holder-kind = 種類
role-holder-member = メンバー
role-since = 開始日

## ロールのフォーム
role-change = ロールを編集
role-change-what = 持っている全員と、そのキーやトークンの権限が直ちに変わります。
role-name-hint = 小文字、数字、- と _。例：invoice-reader
role-name-wrong = ロールの名前は a-z、0-9、- と _ で 1〜63 文字、先頭は文字か数字です。
role-name-taken = この名前のロールが、ここかインスタンス全体にすでにあります。別の名前を選んでください。
role-description = 用途
role-description-hint = 与える人のために、1 行で。
role-description-wrong = 500 文字以内の 1 行で入力してください。
role-permissions-hint = 自分が持っているものを入れることができます。
role-credentials-of-others = このロールをインスタンス全体で持つ人に、ほかの人が作ったキーやトークンがあります。それらの及ぶ範囲も広がってしまうので、先に失効させてください。

## 取り上げるもの
role-narrow = このロールを持つ全員から取り上げますか？
role-narrow-what = 権限は直ちに失われ、キーやトークンからも失われます。
role-narrow-holders = { $count ->
   *[other] { $count } 人のメンバーとサービスアカウントがこのロールを持っています。
}
role-loses = このロールが与えなくなるもの：
role-gains = このロールが新たに与えるもの：
role-delete = 削除
role-delete-title = このロールを削除しますか？
role-delete-what = 持っている全員が直ちに失います。これを与える招待は、残りだけを与えます。
role-delete-nobody = 持っている人はいません。
role-delete-holders = { $count ->
   *[other] { $count } 人のメンバーとサービスアカウントが失います。
}
role-delete-do = 完全に削除
