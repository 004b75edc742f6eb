### The words of every page. The other languages have the same keys and variables; a test holds them against each other.

## Frame
skip = Skip to the content
nav = Screens
nav-overview = Overview
nav-search = Search
nav-account = Account
logout = Log out
copied = Copied
copy = Copy
yes = yes
no = no
session-ending = Your session ends in two minutes. Go to any page to go on, or log in again.
search-hint = Id or campus
role-viewer = Viewer
role-office = Office
role-operator = Operator
role-admin = Administrator

## Times
ago-seconds = just now
ago-minutes = { $count ->
    [one] { $shown } minute ago
   *[other] { $shown } minutes ago
}
ago-hours = { $count ->
    [one] { $shown } hour ago
   *[other] { $shown } hours ago
}
ago-days = { $count ->
    [one] { $shown } day ago
   *[other] { $shown } days ago
}
for-seconds = { $count ->
    [one] { $shown } second
   *[other] { $shown } seconds
}
for-minutes = { $count ->
    [one] { $shown } minute
   *[other] { $shown } minutes
}
for-hours = { $count ->
    [one] { $shown } hour
   *[other] { $shown } hours
}
for-days = { $count ->
    [one] { $shown } day
   *[other] { $shown } days
}

## Logging in
login-title = Log in
login-lead = The console of your church's member sync.
login-name = Login
login-password = Password
login-do = Log in
login-proxy = Continue as
login-or = or with a password
login-lost = No password, or lost it? Ask an administrator, or run on the server:
login-wrong = Login or password is wrong. Check both and try again.
login-no-operator = There is no operator of that name here. Ask an administrator to add you.
login-wait = { $count ->
    [one] Too many attempts. Wait { $shown } minute, then try again.
   *[other] Too many attempts. Wait { $shown } minutes, then try again.
}
bounce-title = Opening…
bounce-do = Go on

## Links
link-title = Your link
link-login = Log in without a password
link-login-lead = This link lets you in once, as an administrator, for an hour. The audit names who made it.
link-login-do = Log in
link-made-by = Made by
link-welcome = Welcome
link-welcome-lead = Choose a password, and you are in.
link-welcome-do = Set the password and log in
link-over = This link is no good any more
link-over-lead = It was used, or is too old. Ask whoever sent it for a new one.
link-over-do = To the login
password-new = New password
password-again = The same again
password-current = Current password
password-hint = 12 characters or more. Three or four words that only you would put together are good.
password-set = Change the password
password-too-short = { $count ->
    [one] The password is too short: it needs { $shown } character.
   *[other] The password is too short: it needs { $shown } characters.
}
password-too-long = The password is too long: 512 characters at most.
password-common = This password is one of those that are tried first. Take words of your own.
password-differs = The two passwords are not the same.
password-current-wrong = The current password is wrong.

## Overview
overview-title = Overview
overview-as-of = As of
overview-matters = Worth a look
overview-well = All is well
overview-last = The last event came
overview-first = No campus is synced yet
overview-first-do = Connect one on the server:
overview-stops = Stops events
overview-looks = Worth a look
overview-flow = The last five minutes
overview-received = Received
overview-processed = Finished
overview-lag = How far behind
overview-retrying = Retrying
overview-per-minute = a minute
overview-programs = Programs
overview-letters = Dead letters
overview-no-letters = No dead letters wait.
overview-runs = Last nights
overview-no-runs = No campus has been compared with its core yet.
overview-stale = The database does not answer. These are the numbers of { $since }.
overview-slow = The database is too slow to answer. These are the numbers of { $since }.
column-program = Program
column-state = State
column-host = Host
column-version = Version
column-seen = Seen
column-cause = Cause
column-open = Open
column-replaying = On their way
column-oldest = Oldest
column-campus = Campus
column-begun = Begun
column-held = Held
column-received = Received
column-event = Event
column-member = Member
column-died = Died
program-ready = ready
program-not-ready = not ready
program-silent = silent

## Search
search-title = Search
search-field = What are you looking for?
search-do = Search
search-kinds = The id of an event, a delivery, a trace, a dead letter, a run or a member, or the name of a campus.
search-nothing = Nothing was found
search-nothing-do = Check the id: it must be whole. Of a campus, a part of its name is enough.
search-trace = A trace is looked for within the last 24 hours.
search-week = Look in the last 7 days
search-all = Look everywhere
search-campuses = Campuses
search-deliveries = Deliveries
search-letters = Dead letters
search-runs = Runs
search-event-id = Id of the event
search-delivery-id = Id of the delivery

## Account
account-title = Account
account-you = You
account-role = Role
account-campuses = Campuses
account-all-campuses = All campuses
account-preferences = How you like it
account-language = Language
account-theme = Theme
account-zone = Time zone
account-zone-hint = that of your first campus
account-browser = As the browser
account-shortcuts = Keys: / search, o overview, s search, a account
account-keep = Save
account-kept = Saved.
account-permissions = Your permissions
account-may = May
account-permissions-hint = Of an operator with campuses of their own, for these alone. An administrator can change your role.
account-sessions = Your sessions
account-this = this one
account-begun = begun
account-seen = used
account-end-others = End the others
account-sessions-ended = All other sessions are ended.
account-password = Password
account-password-set = The password is changed, and all other sessions are ended.
account-no-operator = You came by a link of faithctl: there is no password to change, and the session ends within the hour.
theme-light = Light
theme-dark = Dark
permission-overview = Overview, programs, checks
permission-deliveries = Deliveries, dead letters, nights
permission-names = Names of members in them
permission-replay = Replay and discard dead letters
permission-run = Run a night now, or dry
permission-archives = Let archives through that were held
permission-pause = Pause a campus, and let it go on
permission-configure = Credentials, webhook secret, filter, limits
permission-administer = New campuses, operators, the audit
permission-account = Their own account

## What went wrong
failure-home = To the overview
failure-not-found = There is no such page
failure-not-found-do = The address is wrong, or what it named is gone.
failure-method = That cannot be done here
failure-method-do = The page was asked for something that it does not do.
failure-forbidden = Your role may not do this
failure-forbidden-do = Nothing was changed. Your permissions are under Account.
failure-forbidden-roles = These may: { $roles }.
failure-foreign = That did not come from this page
failure-foreign-do = Nothing was changed. Go back, load the page anew, and try again.
failure-misdirected = Wrong address
failure-misdirected-do = The console answers to the address that CONSOLE_URL names, and to no other.
failure-too-large = That was too much at once
failure-too-large-do = A form may hold 64 kB.
failure-too-many = Too many requests
failure-too-many-do = Wait a minute, then go on.
failure-malformed = That cannot be read
failure-malformed-do = Go back and try again.
failure-unavailable = The database does not answer
failure-unavailable-do = Nothing can be shown until it does. Events go on waiting in the queue. Try again in a moment.
failure-too-slow = That took too long
failure-too-slow-do = The database is busy. Look for something smaller, or try again in a moment.
failure-internal = Something went wrong here
failure-internal-do = The console's log says what. Try again in a moment.

## What is worth a look, and what to do
problem-no_gateway = Webhooks may get no answer: no gateway runs
problem-no_gateway-do = Start a gateway. One that runs says at /readyz what it misses.
problem-no_worker = Events wait: no worker runs
problem-no_worker-do = Start a worker. One that runs says at /readyz what it misses.
problem-no_reconciler = Nobody compares campuses with their cores at night
problem-no_reconciler-do = Start a reconciler, unless a timer runs it each night.
problem-not_ready = A program runs and cannot do its job
problem-not_ready-do = What it misses is below; its log says more.
problem-nothing_finished = Workers run, and finish nothing
problem-nothing_finished-do = Run faithctl doctor: it says what is wrong.
problem-queue_not_drained = A queue is not emptied
problem-queue_not_drained-do = Look at the workers' logs, and at /readyz of each.
problem-breaker_open = FaithFlow does not answer: its events wait
problem-breaker_open-do = Mend FaithFlow first. Events go on by themselves once it answers.
problem-none_succeeded = No event of this campus succeeds
problem-none_succeeded-do = Try the connection to FaithFlow: address, account, password.
problem-long_retrying = Events have been retried for long
problem-long_retrying-do = Try the connection to FaithFlow: address, account, password.
problem-login_paused = The login at FaithFlow was refused
problem-login_paused-do = Check the account in FaithFlow, then save its password here.
problem-dead_letters_open = Dead letters wait for somebody
problem-dead_letters_open-do = Look at their cause below; once it is mended they can be replayed.
problem-disabled_and_called = The campus is disabled, and webhooks come
problem-disabled_and_called-do = Enable it, unless somebody meant it to be off.
problem-webhooks_refused = Many webhooks were refused
problem-webhooks_refused-do = Compare the webhook secret in FaithFlow with the one here.
problem-paused = The campus is paused
problem-paused-do = Events wait until it is let go on.
problem-archives_held = Many would be archived: somebody has to agree
problem-archives_held-do = Look who it is in the last night, then let them through, or mend the list.
problem-members_undecided = Some members could not be decided about
problem-members_undecided-do = The last night names them.
problem-reconciliation_overdue = Not compared with its core for over a day
problem-reconciliation_overdue-do = Look at the last night: why it failed, or whether it ran at all.
problem-secret_old = The webhook secret is old
problem-secret_old-do = Make a new one, and give it to FaithFlow within the grace.

## Causes of dead letters
cause-member_not_found = FaithFlow does not know the member
cause-core_unavailable = FaithFlow did not answer
cause-core_rejected_login = FaithFlow refused the login
cause-core_forbidden = The account may not read the member
cause-core_bad_response = FaithFlow answered something that makes no sense
cause-wrong_church = The member is another church's
cause-sync_disabled = The campus was disabled
cause-invalid_event = The event makes no sense
cause-database = The database did not take the row
cause-poison = Whoever took it died of it

## Statuses
status-processed = done
status-filtered = done: the filter keeps the member out
status-ignored = a type that is not handled
status-duplicate = done by another delivery
status-stale = a delete of a member who is there
status-retrying = failed, will be tried again
status-dead = failed for good, waits for somebody
status-discarded = given up by somebody
status-rejected = refused by the gateway
status-open = waits for somebody
status-replaying = on its way again
status-resolved = finished
status-in_progress = under way
status-success = equals its core
status-held = archives wait for somebody
status-partial = some could not be decided
status-error = failed
