"""Login, look-ups and logout through the Python driver.

    python accounts.py <base URL> <login id> <password>

Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.
"""

import json
import sys
from urllib.parse import urlsplit

from mattermostdriver import Driver
from mattermostdriver.exceptions import InvalidOrMissingParameters, NoAccessTokenProvided, ResourceNotFound

base, login_id, password = sys.argv[1:]
site = urlsplit(base)


def new_driver(password):
    # Without a code the driver sends "token": null.
    return Driver({
        'scheme': site.scheme,
        'url': site.hostname,
        'port': site.port,
        'login_id': login_id,
        'password': password,
        'request_timeout': 30,
    })


def refused(error, call, *arguments):
    try:
        call(*arguments)
    except error as refusal:
        assert str(refusal), 'the refusal has no text'
        return
    raise AssertionError(f'it was not refused with {error.__name__}')


driver = new_driver(password)


def wrong_password_is_refused():
    refused(NoAccessTokenProvided, new_driver(password + 'x').login)


def login_gives_a_token():
    user = driver.login()
    assert user['username'] == login_id, user
    assert len(driver.client.token) == 26
    assert driver.client.userid == user['id']


def me_is_who_logged_in():
    assert driver.users.get_user('me')['id'] == driver.client.userid


def server_is_well():
    assert driver.system.check_system_health()['status'] == 'OK'


def tests_of_settings_ask_for_whole_settings():
    # Without options the driver sends {}.
    refused(InvalidOrMissingParameters, driver.system.test_aws_s3_connection)
    refused(InvalidOrMissingParameters, driver.system.send_test_email)


def unknown_user_is_not_found():
    refused(ResourceNotFound, driver.users.get_user, 'z' * 26)


def logout_ends_the_session():
    token = driver.client.token
    assert driver.logout() == {'status': 'OK'}
    driver.client.token = token


def ended_session_is_refused():
    refused(NoAccessTokenProvided, driver.users.get_user, 'me')


for step in (
    wrong_password_is_refused,
    login_gives_a_token,
    me_is_who_logged_in,
    server_is_well,
    tests_of_settings_ask_for_whole_settings,
    unknown_user_is_not_found,
    logout_ends_the_session,
    ended_session_is_refused,
):
    try:
        step()
    except Exception as error:
        sys.exit(f'{step.__name__}: {type(error).__name__}: {error}')
    print(json.dumps({'step': step.__name__}), flush=True)
