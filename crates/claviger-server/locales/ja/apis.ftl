## API の一覧
nav-apis = API
apis-what = キーやトークンの使い先です。何を許可できるかを API ごとに宣言します。インスタンス全体に属します。
apis-search = 名前または識別子で検索
api-new = 新しい API
api-new-what = API と、そこで許可できることを宣言します。
api-minutes = { $count ->
   *[other] { $count } 分
}
api-seconds = { $count ->
   *[other] { $count } 秒
}

## 一つの API
api-builtin-what = これは Claviger 自身の API です。Claviger のバージョンが変わるときにだけ変わります。
api-permissions-none = まだ何も宣言していないので、誰にも何も許可できません。最初の権限を宣言してください。
api-actions = 操作
api-identifier = 識別子
api-life = アクセストークンの有効期間
api-format = アクセストークンの形式
api-format-jwt = 署名付き JWT
api-format-opaque = 不透明トークン
api-algorithm = 署名方式
api-origins = 応答するオリジン
api-gateway = ゲートウェイ
api-accepts-basic = Authorization: Basic での提示を認める
api-accepts-query = クエリパラメーター { $name } での提示を認める
api-servers = 提供するサービスアカウント
api-rules = ルートルール
api-rules-none = ありません。ルールで問い合わせるゲートウェイは、この API へのすべてのリクエストを拒否します。
api-rules-how = ルールは OpenAPI 文書から作るか、一つずつ書きます。変更するとすべて置き換わります。
api-rule-request = リクエスト
api-rule-object = オブジェクト
api-rule-any = なし：有効であれば誰でも
api-rule-filters = API 自身がオブジェクトの制限を守ります

## API のフォーム
api-change = API を編集
api-change-what = トークンの作り方と、ゲートウェイが資格情報を見つける場所。
api-name-hint = 人が呼ぶ名前です。
api-identifier-hint = トークンの audience となる絶対 URI です。後から変えられません。
api-identifier-wrong = 識別子ではありません。フラグメントのない絶対 URI を入力してください。例：https://api.acme.test
api-identifier-taken = この識別子、または同じとみなされる識別子の API がすでにあります。
api-permissions-hint = 1 行に一つ。名前のあとに空白を置き、許可する内容を書きます。
api-permission-wrong = { $name } は権限ではありません。invoices:read のように書いてください。
api-permission-taken = この中のどれかを、別の API がすでに宣言しています。権限は一つの API に属します。
api-permission-twice = すでに宣言されています。
api-permission-reserved = claviger: で始まるものは Claviger 自身の API に属します。
api-tokens = アクセストークン
api-tokens-hint = トークンエンドポイントで取得するサービスのためのものです。API キーと個人用アクセストークンには影響しません。
api-life-hint = 短いほど、問い合わせをしない検証者にも変更が早く伝わります。既存のトークンの期限は変わりません。
api-life-wrong = 一覧から選んでください。
api-format-hint = JWT は受け取った側で検証できます。不透明トークンについて答えられるのは Claviger だけです。
api-algorithm-hint = JWT 用です。サービスが別の方式しか扱えない場合を除き、ES256 が適切です。
api-origins-hint = 公開オリジンを 1 行に一つ。空なら識別子のオリジンです。所持証明はそのどれかに向けたものでなければなりません。
api-origin-wrong = { $name } はオリジンではありません。https://api.acme.test のように書いてください。20 個までです。
api-gateway-hint = API の前にゲートウェイがある場合にだけ必要です。
api-basic-hint = git や curl -u など、古いプログラムのためのものです。
api-query = クエリパラメーター
api-query-hint = アドレスはログに残ります。ほかに方法がないプログラムがある場合を除き、空にしてください。
api-query-wrong = クエリパラメーターの名前は、文字、数字、_、-、ドットで 1〜64 文字です。
api-servers-hint = この API を提供するサービスアカウントの ID を 1 行に一つ。提示された資格情報を見ることができます。
api-server-unknown = サービスアカウント { $name } はありません。
api-changed-meanwhile = その間に別の人がこの API を変更しました。何も保存していません。もう一度確認してから保存してください。

## API の権限
api-permission-new = 権限を宣言
api-permission-new-what = 以後、ロールやキー、トークンに与えることができます。
api-permission-name-hint = 対象と操作です。例：invoices:read。後から変えられません。
api-permission-what = 許可する内容
api-permission-what-hint = 一覧から選ぶ人のために、1 行で。
api-permission-change-what = 説明だけが変わります。
api-retire = 廃止
api-retire-title = この権限を廃止しますか？
api-retire-what = 直ちにどこでも使えなくなり、どのロールもキーも与えなくなります。再び宣言しても、与え直す必要があります。
api-retire-rules = ルートルールが要求しているため、まだ廃止できません。先に変更してください：
api-retire-roles = これを失うロール：
api-retire-no-credential = これを含むキーやトークンはありません。
api-retire-credentials = { $count ->
   *[other] これを含む { $count } 個のキーやトークンが失います。
}
api-retire-more = 調べたのは { $count } 個だけです。ほかにも失うキーやトークンがあるかもしれません。
api-retire-do = 完全に廃止
api-delete-title = この API を削除しますか？
api-delete-what = その権限は直ちにどこでも使えなくなり、この API 向けのトークンも取得できなくなります。
api-delete-permissions = 終了する権限：
