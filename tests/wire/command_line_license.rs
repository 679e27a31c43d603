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
    assert!(refused.contains("api.license.add_license.invalid.app_error"), "{refused}");
    let unknown = seller.fail(&["sign", "--key", "private.pem", "--feature", "teleport"]).await;
    assert!(unknown.contains("teleport is not a feature"), "{unknown}");
    assert!(seller.fail(&["verify", "a.license"]).await.contains("no public key is set"));
}
