## Portal
portal-title = アクセス
portal-in = { $name } へのアクセス
portal-back = 戻る
portal-back-to = { $name } に戻る
portal-leave = 終了
portal-left = このページを終了しました。
portal-old = このページを開いてから10分以上たちました。トークンの確認と失効はまだできます。作成や変更をするには、戻ってこのページを開き直してください。
portal-too-old = このページを開いてから10分以上たちました。トークンの作成や変更をするには、戻ってこのページを開き直してください。何も変更されていません。
portal-secret-hint = ダブルクリックするか Tab キーで移動すると、全体が選択されます。
