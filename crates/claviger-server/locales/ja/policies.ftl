## 組織のルール
nav-policy = ポリシー
policy-title = ポリシー
policy-what = この組織のすべてのキーとトークンに対するルールです。既存のものにも適用されます。
policy-change = ルールを変更
policy-change-what = 厳しくしたルールは既存のものにも適用されます。適用される前に、その影響が表示されます。
policy-lives = 期間
policy-made = 種類と使い方
policy-approvals = 承認
policy-pat-max = 個人用アクセストークンの最長期間（日）
policy-pat-max-what = これより長いものは作れず、既存のものは短縮されます。空なら上限はありません。
policy-pat-default = 期限を指定しない個人用アクセストークンの期間（日）
policy-pat-default-what = 作る人が期限を指定しないときに使われます。空なら許される最長です。
policy-key-max = API キーの最長期間（日）
policy-key-max-what = 既存のキーは短縮されます。空なら上限はありません。
policy-expiry = すべてに期限が必要
policy-expiry-what = 無期限のものは作れず、今無期限のものには期限が付きます。
policy-unused = 使われないものを失効させるまでの日数
policy-unused-what = この日数のあいだ使われも作られもしなかったものは、1 時間以内に失効します。空なら失効しません。
policy-kinds = 許可する種類
policy-kinds-what = 許可しない種類は作れなくなり、既存のものもルールがある限り拒否されます。
policy-client-secrets = クライアントシークレット
policy-public-keys = クライアントの公開鍵
policy-certificates = クライアント証明書
policy-federations = 外部発行者の ID
policy-wildcard = 「すべて」を許可
policy-wildcard-what = キーやトークンは、所有者ができることすべてに従えます。許可しない場合は、権限を一つずつ指定する必要があります。
policy-objects = メンバーはオブジェクトを指定する
policy-objects-what = メンバーのトークンは、base:app7 のように指定したオブジェクトにだけ使えます。ほかの人のトークンを管理する人には適用されません。
policy-networks = 使用できるネットワーク
policy-networks-what = 203.0.113.0/24 のように 1 行に一つ。空ならどこからでも使えます。
policy-approval = トークンは承認を待つ
policy-approval-what = 新しい個人用アクセストークンは、権限のある人が承認して初めて使えます。以前より多くのものを得るトークンも同じです。
policy-no-bound = 上限なし
policy-days = { $count ->
   *[other] { $count } 日
}
policy-days-wrong = 日数は 1〜36500 の整数か、空です。
policy-default-too-long = 上の最長期間より長くなっています。
policy-yes = はい
policy-no = いいえ
policy-all = すべて
policy-none = なし

## 厳しいルールの影響
policy-tighten = ルールを厳しくしますか？
policy-tighten-what = 使われているキーやトークンに影響します。
policy-tighten-do = 厳しくする
policy-ends-sooner = { $count ->
   *[other] { $count } 個の期限が早まります（元に戻せません）
}
policy-disabled = { $count ->
   *[other] ルールがある限り { $count } 個が拒否されます
}
policy-loses-wildcards = { $count ->
   *[other] { $count } 個が所有者に従わなくなります（指定された権限は残ります）
}
policy-limited-to-networks = { $count ->
   *[other] { $count } 個はこれらのネットワークからしか使えなくなります
}
policy-revoked = { $count ->
   *[other] { $count } 個が 1 時間以内に完全に失効します
}
