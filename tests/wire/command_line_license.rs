//! `quarterdeck license`, as an operator runs it.

use std::os::unix::fs::PermissionsExt;

use crate::support::license::Seller;

#[actix_web::test]
async fn keys_licences_and_checks_are_made_with_the_command_line() {
    let seller = Seller::new().await;
    let mode = std::fs::metadata(seller.path("private.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = seller.fail(&["keygen", "--private", "private.pem", "--public", "other.pem"]).await;
    assert!(again.starts_with("quarterdeck: private.pem: "), "{again}");
    let text = seller.license(&["--users", "7", "--trial", "--feature", "saml"]).await;
    std::fs::write(seller.path("a.license"), &text).unwrap();
    let told = seller.run(&["verify", "a.license", "--key", "public.pem"]).await;
    assert!(told.contains("Users: 7") && told.contains("IsTrial: true\n") && told.contains("SAML: true"), "{told}");
    std::fs::write(seller.path("b.license"), &text[4..]).unwrap();
    let refused = seller.fail(&["verify", "b.license", "--key", "public.pem"]).await;
    let id = "(api.license.add_license.invalid.app_error)";
    assert!(refused.contains("a part of its text is missing") && refused.contains(id), "{refused}");
    let unknown = seller.fail(&["sign", "--key", "private.pem", "--feature", "teleport"]).await;
    assert!(unknown.contains("teleport is not a feature"), "{unknown}");
    assert!(seller.fail(&["verify", "a.license"]).await.contains("no public key is set"));
}

#[actix_web::test]
async fn a_check_of_a_licence_says_why_a_server_would_refuse_it() {
    let seller = Seller::new().await;
    let now = seller.license(&[]).await;
    for (text, reason) in [
        (Seller::new().await.license(&[]).await, "signed with another key"),
        ("no licence".to_owned(), "not base64"),
        (String::new(), "a part of its text is missing"),
        (now[..now.len() - 4].to_owned(), "a part of its text is missing"),
        (seller.license(&["--starts", "-10", "--days", "5"]).await, "has expired"),
        (seller.license(&["--starts", "2"]).await, "has not started yet"),
        (seller.signed(r#"{"customer":{},"features":{}}"#).await, "no number of users"),
    ] {
        std::fs::write(seller.path("a.license"), text).unwrap();
        for name in ["verify", "check"] {
            let refused = seller.fail(&[name, "a.license", "--key", "public.pem"]).await;
            assert!(refused.contains(reason), "{reason}: {refused}");
        }
    }
    std::fs::write(seller.path("a.license"), now).unwrap();
    seller.run(&["check", "a.license", "--key", "public.pem"]).await;
}
