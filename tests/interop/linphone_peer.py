"""A headless linphone: liblinphone through its C interface, one JSON object a line in and out.

    linphone_peer.py IDENTITY PASSWORD PROXY FOLDER

Commands: {"cmd":"send","to":…,"text":…}, {"cmd":"quit"}. Events: registered, message (marked as read at once),
state (of what was sent).
"""

import ctypes
import json
import os
import queue
import sys
import threading
import time

IDENTITY, PASSWORD, PROXY, FOLDER = sys.argv[1:5]
USER, DOMAIN = IDENTITY.removeprefix("sip:").split("@")
STATES = {0: "Idle", 1: "InProgress", 2: "Delivered", 3: "NotDelivered", 6: "DeliveredToUser", 7: "Displayed",
          9: "PendingDelivery"}

try:
    LIB = ctypes.CDLL("liblinphone.so.10", mode=ctypes.RTLD_GLOBAL)
except OSError as error:
    sys.exit(f"liblinphone is missing (Debian package linphone-cli): {error}")

PTR, STR, INT, BOOL = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_ubyte


def call(name, result, *arguments):
    """One function of the library: its result type, then pairs of type and value."""
    function = getattr(LIB, "linphone_" + name)
    function.restype = result
    function.argtypes = arguments[0::2]
    return function(*arguments[1::2])


def tell(**event):
    print(json.dumps(event), flush=True)


def text_of(raw):
    return raw.decode("utf-8", "replace") if raw else ""


def configuration():
    os.makedirs(FOLDER, exist_ok=True)
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        os.environ[name] = FOLDER
    path = os.path.join(FOLDER, "linphonerc")
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            "[sip]\nbind_address=127.0.0.1\nuse_ipv6=0\nguess_hostname=0\nping_with_options=0\n"
            "[net]\nmtu=1300\nactivate_edge_workarounds=0\nhost_ip_force=127.0.0.1\n"
            "[sound]\nplayback_dev_id=null\ncapture_dev_id=null\nringer_dev_id=null\n"
            f"[storage]\nuri={os.path.join(FOLDER, 'messages.db')}\n"
        )
    return path.encode()


ON_MESSAGE = ctypes.CFUNCTYPE(None, PTR, PTR, PTR)
ON_REGISTRATION = ctypes.CFUNCTYPE(None, PTR, PTR, INT, STR)
ON_STATE = ctypes.CFUNCTYPE(None, PTR, INT)
rooms_to_read = []


@ON_MESSAGE
def on_message(_core, room, message):
    sender = call("chat_message_get_from_address", PTR, PTR, message)
    tell(event="message", text=text_of(call("chat_message_get_utf8_text", STR, PTR, message)),
         **{"from": text_of(call("address_as_string_uri_only", STR, PTR, sender))})
    rooms_to_read.append(room)


@ON_REGISTRATION
def on_registration(_core, _config, state, reason):
    if state == 2:
        tell(event="registered")
    elif state == 4:
        tell(event="registration failed", reason=text_of(reason))


@ON_STATE
def on_state(_message, state):
    tell(event="state", state=STATES.get(state, str(state)))


def set_up():
    call("core_set_log_level_mask", None, ctypes.c_uint, 0)
    factory = call("factory_get", PTR)
    core = call("factory_create_core_3", PTR, PTR, factory, STR, configuration(), STR, None, PTR, None)
    call("core_enable_ipv6", None, PTR, core, BOOL, 0)
    over_tcp = "transport=tcp" in PROXY
    transports = call("factory_create_transports", PTR, PTR, factory)
    call("transports_set_udp_port", None, PTR, transports, INT, 0 if over_tcp else -1)
    call("transports_set_tcp_port", None, PTR, transports, INT, -2 if over_tcp else 0)
    call("transports_set_tls_port", None, PTR, transports, INT, 0)
    call("core_set_transports", INT, PTR, core, PTR, transports)
    listeners = call("factory_create_core_cbs", PTR, PTR, factory)
    call("core_cbs_set_message_received", None, PTR, listeners, ON_MESSAGE, on_message)
    call("core_cbs_set_registration_state_changed", None, PTR, listeners, ON_REGISTRATION, on_registration)
    call("core_add_callbacks", None, PTR, core, PTR, listeners)
    policy = call("core_get_im_notif_policy", PTR, PTR, core)
    call("im_notif_policy_enable_all", None, PTR, policy)
    call("core_start", INT, PTR, core)

    secret = call("factory_create_auth_info", PTR, PTR, factory, STR, USER.encode(), STR, None, STR, PASSWORD.encode(),
                  STR, None, STR, None, STR, DOMAIN.encode())
    call("core_add_auth_info", None, PTR, core, PTR, secret)
    params = call("core_create_account_params", PTR, PTR, core)
    call("account_params_set_identity_address", INT, PTR, params, PTR, address(factory, IDENTITY))
    call("account_params_set_server_address", INT, PTR, params, PTR, address(factory, PROXY))
    call("account_params_set_outbound_proxy_enabled", None, PTR, params, BOOL, 1)
    call("account_params_set_register_enabled", None, PTR, params, BOOL, 1)
    call("account_params_set_expires", None, PTR, params, INT, 600)
    call("account_params_enable_cpim_in_basic_chat_room", None, PTR, params, BOOL, 1)
    account = call("core_create_account", PTR, PTR, core, PTR, params)
    call("core_add_account", INT, PTR, core, PTR, account)
    call("core_set_default_account", None, PTR, core, PTR, account)
    return factory, core, account, params


def address(factory, uri):
    return call("factory_create_address", PTR, PTR, factory, STR, uri.encode())


def send(factory, core, to, text):
    params = call("core_create_default_chat_room_params", PTR, PTR, core)
    call("chat_room_params_set_backend", None, PTR, params, INT, 1)
    call("chat_room_params_enable_group", None, PTR, params, BOOL, 0)
    append = LIB.bctbx_list_append
    append.restype, append.argtypes = PTR, (PTR, PTR)
    peers = append(None, address(factory, to))
    room = call("core_create_chat_room_6", PTR, PTR, core, PTR, params, PTR, address(factory, IDENTITY), PTR, peers)
    if not room:
        sys.exit("linphone made no chat room")
    message = call("chat_room_create_message_from_utf8", PTR, PTR, room, STR, text.encode())
    listeners = call("factory_create_chat_message_cbs", PTR, PTR, factory)
    call("chat_message_cbs_set_msg_state_changed", None, PTR, listeners, ON_STATE, on_state)
    call("chat_message_add_callbacks", None, PTR, message, PTR, listeners)
    call("chat_message_send", None, PTR, message)


def main():
    factory, core, _account, _params = set_up()
    commands = queue.Queue()

    def read():
        for line in sys.stdin:
            commands.put(json.loads(line))
        commands.put({"cmd": "quit"})

    threading.Thread(target=read, daemon=True).start()
    end = None
    while end is None or time.monotonic() < end:
        call("core_iterate", None, PTR, core)
        while rooms_to_read:
            call("chat_room_mark_as_read", None, PTR, rooms_to_read.pop())
        while not commands.empty():
            command = commands.get()
            if command["cmd"] == "send":
                send(factory, core, command["to"], command["text"])
            elif end is None:
                # Notifications still on their way may leave, then the account unregisters.
                end = time.monotonic() + 2
                call("core_clear_accounts", None, PTR, core)
        time.sleep(0.02)
    # The library's own end is slow and of no interest here.
    os._exit(0)


main()
