## What needs attention
overview-keys = 使用できる API キー: { $count } 個
attention = 確認が必要なもの
attention-none = 確認が必要なものはありません
attention-none-what = まもなく終了するキー、使われていないキー、期限のないキー、待機中の承認はありません。
attention-rolling = 古いシークレットがまだ使えるキー: { $count } 個
attention-soon = 14日以内に終了するキー: { $count } 個
attention-idle = 90日間使われていないキー: { $count } 個
attention-endless = 期限のないキー: { $count } 個
