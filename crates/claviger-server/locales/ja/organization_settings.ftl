## 組織
nav-settings = 設定
organization-new = 新しい組織
organization-new-what = 顧客、または自社の一部門です。中のものはほかから切り離されています。
organization-change = 組織を編集
organization-change-what = 名前と、ポータルの見え方。
organization-name-hint = 人が呼ぶ名前です。
organization-slug = 短い名前
organization-slug-hint = これらのページのアドレスとコマンドラインで使われます。変えると、古いアドレスは使えなくなります。
organization-new-slug-hint = これらのページのアドレスで使われます。空なら名前から作ります。
organization-slug-wrong = 短い名前は a-z、0-9、- で 1〜63 文字、先頭と末尾は - 以外です。
organization-slug-taken = この短い名前は別の組織が使っています。別のものを選んでください。
organization-external-hint = 自社の製品での呼び名です。空ならありません。
organization-external-wrong = 外部 ID は、表示できる ASCII 文字で 1〜255 文字です。
organization-external-taken = この外部 ID は別の組織が使っています。
organization-portal = ポータル
organization-portal-hint = 製品の利用者が自分のトークンを作る場所です。
organization-portal-name = ポータルの名前
organization-portal-name-hint = 製品の名前です。各ページの上に表示されます。空なら組織の名前です。
organization-portal-name-none = 組織の名前
organization-portal-color = ポータルの色
organization-portal-color-hint = # と 16 進数 6 桁です。文字が読みにくくなるところでは、その濃淡を使います。空なら Claviger の色です。
organization-portal-color-none = Claviger の色
organization-portal-color-wrong = 色は # と 16 進数 6 桁です（例：#3550cb）。
organization-origins = ポータルのオリジン
organization-origins-hint = ポータルをフレーム内に表示でき、戻り先にもできる場所です。https://host を 1 行に一つ、20 個まで。
organization-origins-none = なし：ポータルはどのフレームにも表示されません
organization-ceiling = 使える範囲
organization-ceiling-hint = 権限を 1 行に一つ、または全 API を表す *。空なら既定値（すべての API と、Claviger が組織に提供するもの）です。ここで外したものは、中の全員に対して直ちに使えなくなります。
organization-ceiling-default = 既定値：すべての API と、Claviger が組織に提供するもの
organization-of-instance = インスタンスの管理者向け
organization-of-instance-hint = インスタンス全体を管理する人だけが見て変更できます。
organization-stopped = 無効になっているため、今は中の何も使えません。

## 停止と終了
organization-disable-title = この組織を無効にしますか？
organization-disable-what = 誰かが有効にするまで、中の何も使えなくなります。キーもトークンも使えず、メンバーはページを開けません。
organization-disable-credentials = { $count ->
    [0] 今使えるキーやトークンはありません。
   *[other] { $count } 個のキーやトークンが使えなくなります。
}
organization-delete-title = この組織を削除しますか？
organization-delete-what = 中のすべてのキーとトークンが完全に終了し、組織は見つからなくなります。元に戻せません。
organization-delete-credentials = { $count ->
    [0] 今使えるキーやトークンはありません。
   *[other] { $count } 個のキーやトークンが完全に失効します。
}
organization-delete-fleets = デバイスのグループがあるため、まだ削除できません。先に削除してください。
organization-is-own = あなた自身もここに属しています。それによって持っている権限は、ここでもインスタンス全体でも失われます。
