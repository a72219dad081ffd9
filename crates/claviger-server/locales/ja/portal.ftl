## Portal
portal-title = アクセス
portal-in = { $name } へのアクセス
portal-back = 戻る
portal-leave = 終了
portal-left = このページを終了しました。
