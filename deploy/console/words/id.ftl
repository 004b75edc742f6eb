### Kata-kata setiap halaman. Kunci dan variabelnya sama dengan en.ftl.

## Bingkai
skip = Langsung ke isi
nav = Layar
nav-overview = Ringkasan
nav-search = Cari
nav-account = Akun
logout = Keluar
copied = Tersalin
copy = Salin
yes = ya
no = tidak
session-ending = Sesi Anda berakhir dalam dua menit. Buka halaman mana pun untuk melanjutkan, atau masuk lagi.
search-hint = Id atau kampus
role-viewer = Pengamat
role-office = Kantor
role-operator = Operator
role-admin = Administrator

## Waktu
ago-seconds = baru saja
ago-minutes = { $count ->
   *[other] { $shown } menit lalu
}
ago-hours = { $count ->
   *[other] { $shown } jam lalu
}
ago-days = { $count ->
   *[other] { $shown } hari lalu
}
for-seconds = { $count ->
   *[other] { $shown } detik
}
for-minutes = { $count ->
   *[other] { $shown } menit
}
for-hours = { $count ->
   *[other] { $shown } jam
}
for-days = { $count ->
   *[other] { $shown } hari
}

## Masuk
login-title = Masuk
login-lead = Konsol sinkronisasi jemaat gereja Anda.
login-name = Nama masuk
login-password = Kata sandi
login-do = Masuk
login-proxy = Lanjutkan sebagai
login-or = atau dengan kata sandi
login-lost = Belum punya atau lupa kata sandi? Tanyakan kepada administrator, atau jalankan di server:
login-wrong = Nama masuk atau kata sandi salah. Periksa keduanya, lalu coba lagi.
login-no-operator = Tidak ada operator dengan nama itu di sini. Mintalah administrator menambahkan Anda.
login-wait = { $count ->
   *[other] Terlalu banyak percobaan. Tunggu { $shown } menit, lalu coba lagi.
}
bounce-title = Membuka…
bounce-do = Lanjutkan

## Tautan
link-title = Tautan Anda
link-login = Masuk tanpa kata sandi
link-login-lead = Tautan ini memasukkan Anda satu kali, sebagai administrator, selama satu jam. Catatan audit menyebut pembuatnya.
link-login-do = Masuk
link-made-by = Dibuat oleh
link-welcome = Selamat datang
link-welcome-lead = Pilih kata sandi, dan Anda langsung masuk.
link-welcome-do = Simpan kata sandi dan masuk
link-over = Tautan ini tidak berlaku lagi
link-over-lead = Tautan sudah dipakai, atau sudah terlalu lama. Mintalah yang baru kepada pengirimnya.
link-over-do = Ke halaman masuk
password-new = Kata sandi baru
password-again = Sekali lagi
password-current = Kata sandi sekarang
password-hint = 12 karakter atau lebih. Tiga atau empat kata yang hanya Anda yang akan merangkainya sudah baik.
password-set = Ganti kata sandi
password-too-short = { $count ->
   *[other] Kata sandi terlalu pendek: perlu { $shown } karakter.
}
password-too-long = Kata sandi terlalu panjang: paling banyak 512 karakter.
password-common = Kata sandi ini termasuk yang pertama kali dicoba orang. Pakailah kata-kata Anda sendiri.
password-differs = Kedua kata sandi tidak sama.
password-current-wrong = Kata sandi sekarang salah.

## Ringkasan
overview-title = Ringkasan
overview-as-of = Per pukul
overview-matters = Perlu dilihat
overview-well = Semua baik
overview-last = Peristiwa terakhir datang
overview-first = Belum ada kampus yang disinkronkan
overview-first-do = Hubungkan satu kampus di server:
overview-stops = Peristiwa terhenti
overview-looks = Perlu dilihat
overview-flow = Lima menit terakhir
overview-received = Diterima
overview-processed = Selesai
overview-lag = Tertinggal
overview-retrying = Dicoba lagi
overview-per-minute = per menit
overview-programs = Program
overview-letters = Surat mati
overview-no-letters = Tidak ada surat mati yang menunggu.
overview-runs = Malam terakhir
overview-no-runs = Belum ada kampus yang dibandingkan dengan FaithFlow.
overview-stale = Basis data tidak menjawab. Ini angka pukul { $since }.
overview-slow = Basis data terlalu lambat menjawab. Ini angka pukul { $since }.
column-program = Program
column-state = Keadaan
column-host = Mesin
column-version = Versi
column-seen = Terlihat
column-cause = Sebab
column-open = Terbuka
column-replaying = Dalam perjalanan
column-oldest = Tertua
column-campus = Kampus
column-begun = Mulai
column-held = Ditahan
column-received = Diterima
column-event = Peristiwa
column-member = Anggota
column-died = Mati
program-ready = siap
program-not-ready = belum siap
program-silent = diam

## Cari
search-title = Cari
search-field = Apa yang Anda cari?
search-do = Cari
search-kinds = Id peristiwa, pengiriman, jejak, surat mati, malam atau anggota, atau nama kampus.
search-nothing = Tidak ada yang ditemukan
search-nothing-do = Periksa idnya: harus lengkap. Untuk kampus, sebagian namanya sudah cukup.
search-trace = Jejak dicari dalam 24 jam terakhir.
search-week = Cari dalam 7 hari terakhir
search-all = Cari di semua hari
search-campuses = Kampus
search-deliveries = Pengiriman
search-letters = Surat mati
search-runs = Malam
search-event-id = Id peristiwa
search-delivery-id = Id pengiriman

## Akun
account-title = Akun
account-you = Anda
account-role = Peran
account-campuses = Kampus
account-all-campuses = Semua kampus
account-preferences = Pilihan Anda
account-language = Bahasa
account-theme = Tema
account-zone = Zona waktu
account-zone-hint = zona kampus pertama Anda
account-browser = Ikuti peramban
account-shortcuts = Tombol: / cari, o ringkasan, s cari, a akun
account-keep = Simpan
account-kept = Tersimpan.
account-permissions = Hak Anda
account-may = Boleh
account-permissions-hint = Untuk operator yang punya kampus sendiri, hanya untuk kampus itu. Administrator dapat mengubah peran Anda.
account-sessions = Sesi Anda
account-this = sesi ini
account-begun = mulai
account-seen = dipakai
account-end-others = Akhiri yang lain
account-sessions-ended = Semua sesi lain sudah diakhiri.
account-password = Kata sandi
account-password-set = Kata sandi sudah diganti, dan semua sesi lain diakhiri.
account-no-operator = Anda masuk lewat tautan faithctl: tidak ada kata sandi yang dapat diganti, dan sesi berakhir dalam satu jam.
theme-light = Terang
theme-dark = Gelap
permission-overview = Ringkasan, program, pemeriksaan
permission-deliveries = Pengiriman, surat mati, malam
permission-names = Nama anggota di dalamnya
permission-replay = Mengulang dan membuang surat mati
permission-run = Menjalankan malam sekarang, atau mencobanya
permission-archives = Meloloskan pengarsipan yang ditahan
permission-pause = Menjeda kampus, dan melanjutkannya
permission-configure = Akun FaithFlow, rahasia webhook, saringan, batas
permission-administer = Kampus baru, operator, catatan audit
permission-account = Akun sendiri

## Yang salah
failure-home = Ke ringkasan
failure-not-found = Halaman ini tidak ada
failure-not-found-do = Alamatnya salah, atau yang disebutnya sudah tidak ada.
failure-method = Itu tidak dapat dilakukan di sini
failure-method-do = Halaman ini diminta melakukan sesuatu yang bukan tugasnya.
failure-forbidden = Peran Anda tidak boleh melakukan ini
failure-forbidden-do = Tidak ada yang berubah. Hak Anda ada di halaman Akun.
failure-forbidden-roles = Yang boleh: { $roles }.
failure-foreign = Itu tidak datang dari halaman ini
failure-foreign-do = Tidak ada yang berubah. Kembali, muat ulang halamannya, lalu coba lagi.
failure-misdirected = Alamat salah
failure-misdirected-do = Konsol hanya menjawab di alamat yang disebut CONSOLE_URL.
failure-too-large = Itu terlalu banyak sekaligus
failure-too-large-do = Satu formulir paling banyak 64 kB.
failure-too-many = Terlalu banyak permintaan
failure-too-many-do = Tunggu satu menit, lalu lanjutkan.
failure-malformed = Itu tidak dapat dibaca
failure-malformed-do = Kembali, lalu coba lagi.
failure-unavailable = Basis data tidak menjawab
failure-unavailable-do = Tidak ada yang dapat ditampilkan sampai basis data menjawab. Peristiwa tetap menunggu di antrean. Coba lagi sebentar lagi.
failure-too-slow = Itu terlalu lama
failure-too-slow-do = Basis data sedang sibuk. Cari yang lebih kecil, atau coba lagi sebentar lagi.
failure-internal = Ada yang salah di sini
failure-internal-do = Log konsol menyebut sebabnya. Coba lagi sebentar lagi.

## Yang perlu dilihat, dan apa yang harus dilakukan
problem-no_gateway = Webhook mungkin tidak dijawab: tidak ada gateway yang berjalan
problem-no_gateway-do = Jalankan gateway. Yang berjalan menyebut kekurangannya di /readyz.
problem-no_worker = Peristiwa menunggu: tidak ada worker yang berjalan
problem-no_worker-do = Jalankan worker. Yang berjalan menyebut kekurangannya di /readyz.
problem-no_reconciler = Tidak ada yang membandingkan kampus dengan FaithFlow pada malam hari
problem-no_reconciler-do = Jalankan reconciler, kecuali sudah dijalankan penjadwal setiap malam.
problem-not_ready = Sebuah program berjalan tetapi tidak dapat bekerja
problem-not_ready-do = Kekurangannya tertulis di bawah; lognya menyebut lebih banyak.
problem-nothing_finished = Worker berjalan, tetapi tidak ada yang selesai
problem-nothing_finished-do = Jalankan faithctl doctor: ia menyebut apa yang salah.
problem-queue_not_drained = Sebuah antrean tidak dikosongkan
problem-queue_not_drained-do = Lihat log para worker, dan /readyz masing-masing.
problem-breaker_open = FaithFlow tidak menjawab: peristiwanya menunggu
problem-breaker_open-do = Perbaiki FaithFlow dahulu. Peristiwa berlanjut sendiri setelah FaithFlow menjawab.
problem-none_succeeded = Tidak ada peristiwa kampus ini yang berhasil
problem-none_succeeded-do = Coba sambungan ke FaithFlow: alamat, akun, kata sandi.
problem-long_retrying = Peristiwa sudah lama dicoba berulang
problem-long_retrying-do = Coba sambungan ke FaithFlow: alamat, akun, kata sandi.
problem-login_paused = Kata sandi FaithFlow ditolak
problem-login_paused-do = Periksa akun di FaithFlow, lalu simpan kata sandinya di sini.
problem-dead_letters_open = Surat mati menunggu seseorang
problem-dead_letters_open-do = Lihat sebabnya di bawah; setelah diperbaiki, surat dapat diulang.
problem-disabled_and_called = Kampus dinonaktifkan, tetapi webhook datang
problem-disabled_and_called-do = Aktifkan, kecuali memang sengaja dimatikan.
problem-webhooks_refused = Banyak webhook ditolak
problem-webhooks_refused-do = Bandingkan rahasia webhook di FaithFlow dengan yang di sini.
problem-paused = Kampus dijeda
problem-paused-do = Peristiwa menunggu sampai kampus dilanjutkan.
problem-archives_held = Banyak yang akan diarsipkan: seseorang harus menyetujui
problem-archives_held-do = Lihat siapa saja di malam terakhir, lalu loloskan, atau perbaiki daftarnya.
problem-members_undecided = Beberapa anggota tidak dapat diputuskan
problem-members_undecided-do = Malam terakhir menyebut mereka.
problem-reconciliation_overdue = Lebih dari sehari tidak dibandingkan dengan FaithFlow
problem-reconciliation_overdue-do = Lihat malam terakhir: mengapa gagal, atau apakah berjalan.
problem-secret_old = Rahasia webhook sudah lama
problem-secret_old-do = Buat yang baru, dan berikan kepada FaithFlow dalam masa tenggang.

## Sebab surat mati
cause-member_not_found = FaithFlow tidak mengenal anggotanya
cause-core_unavailable = FaithFlow tidak menjawab
cause-core_rejected_login = FaithFlow menolak kata sandi
cause-core_forbidden = Akunnya tidak boleh membaca anggota ini
cause-core_bad_response = Jawaban FaithFlow tidak masuk akal
cause-wrong_church = Anggota ini milik gereja lain
cause-sync_disabled = Kampusnya dinonaktifkan
cause-invalid_event = Peristiwanya tidak masuk akal
cause-database = Basis data tidak menerima barisnya
cause-poison = Yang mengambilnya mati karenanya

## Status
status-processed = selesai
status-filtered = selesai: saringan tidak memasukkan anggota ini
status-ignored = jenis yang tidak ditangani
status-duplicate = selesai oleh pengiriman lain
status-stale = penghapusan anggota yang masih ada
status-retrying = gagal, akan dicoba lagi
status-dead = gagal selamanya, menunggu seseorang
status-discarded = dibuang oleh seseorang
status-rejected = ditolak gateway
status-open = menunggu seseorang
status-replaying = dalam perjalanan lagi
status-resolved = selesai
status-in_progress = sedang berjalan
status-success = sama dengan FaithFlow
status-held = pengarsipan menunggu seseorang
status-partial = beberapa tidak dapat diputuskan
status-error = gagal
