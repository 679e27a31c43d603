//! The hosts that Amazon S3 and Azure Blob Storage themselves operate.
//!
//! Credentials of the machine are sent to these hosts only. Any customer can have a host under `amazonaws.com`.

/// The suffixes of the hosts of Azure Blob Storage, one for each of its clouds.
const AZURE: [&str; 4] = [
    ".blob.core.windows.net",
    ".blob.core.usgovcloudapi.net",
    ".blob.core.chinacloudapi.cn",
    ".blob.storage.azure.net",
];

/// Returns true if `endpoint`, a host with or without the port of HTTPS, belongs to Amazon S3. Empty means Amazon.
pub fn is_amazon_s3(endpoint: &str) -> bool {
    let endpoint = endpoint.trim().to_ascii_lowercase();
    let host = endpoint.strip_suffix(":443").unwrap_or(&endpoint);
    let (name, is_china) = match (host.strip_suffix(".amazonaws.com"), host.strip_suffix(".amazonaws.com.cn")) {
        (_, Some(name)) => (name, true),
        (Some(name), None) => (name, false),
        (None, None) => return host.is_empty(),
    };
    if matches!(name, "s3" | "s3-accelerate" | "s3-accelerate.dualstack") {
        return !is_china;
    }
    let region = ["s3.dualstack.", "s3-fips.dualstack.", "s3-fips.", "s3.", "s3-"]
        .iter()
        .find_map(|service| name.strip_prefix(service));
    region.is_some_and(|region| is_amazon_region(region) && region.starts_with("cn-") == is_china)
}

/// Returns true if the text has the form of a region, such as `eu-central-1` or `us-gov-west-1`.
pub fn is_amazon_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let Some((number, names)) = parts.split_last() else { return false };
    let is_name = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_number = (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    // A region begins with two letters. `s3-website-us-east-1` serves the content of any customer.
    let has_country = names.first().is_some_and(|name| name.len() == 2);
    is_number && has_country && (2..=3).contains(&names.len()) && names.iter().all(is_name)
}

/// Returns true if `host` is the host of any customer's Azure storage account.
pub fn is_azure(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    AZURE.iter().filter_map(|suffix| host.strip_suffix(suffix)).any(|name| match name.split_once('.') {
        None => is_azure_account(name),
        // Azure puts some accounts into a DNS zone, such as `z41`.
        Some((account, zone)) => {
            let is_zone =
                zone.len() <= 3 && zone.starts_with('z') && zone.bytes().skip(1).all(|byte| byte.is_ascii_digit());
            host.ends_with(".storage.azure.net") && is_azure_account(account) && is_zone
        }
    })
}

/// Returns true if the text can be the name of a storage account, or of its secondary location.
fn is_azure_account(name: &str) -> bool {
    let name = name.strip_suffix("-secondary").unwrap_or(name);
    (3..=24).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_of_amazon_s3_are_its_own_and_no_others() {
        for own in [
            "",
            "s3.amazonaws.com",
            "S3.eu-west-1.amazonaws.com:443",
            "s3-us-west-2.amazonaws.com",
            "s3.dualstack.eu-central-1.amazonaws.com",
            "s3-fips.us-gov-west-1.amazonaws.com",
            "s3-fips.dualstack.us-east-1.amazonaws.com",
            "s3-accelerate.amazonaws.com",
            "s3.cn-north-1.amazonaws.com.cn",
            "s3.dualstack.cn-northwest-1.amazonaws.com.cn",
        ] {
            assert!(is_amazon_s3(own), "{own}");
        }
        for other in [
            "amazonaws.com",
            "ec2-203-0-113-5.compute-1.amazonaws.com",
            "evil-123.us-east-1.elb.amazonaws.com",
            "abc.execute-api.us-east-1.amazonaws.com",
            "bucket.s3.amazonaws.com",
            "bucket.s3-website-us-east-1.amazonaws.com",
            "s3-website-us-east-1.amazonaws.com",
            "s3.evil.amazonaws.com",
            "s3.us-east-1.elb.amazonaws.com",
            "s3.us-east-1.amazonaws.com:9000",
            "s3.us-east-1.amazonaws.com:80",
            "s3.us-east-1.amazonaws.com.evil.example",
            "evils3.us-east-1.amazonaws.com",
            "s3.us-east-1.amazonaws.com@evil.example",
            "s3.cn-north-1.amazonaws.com",
            "s3.us-east-1.amazonaws.com.cn",
            "s3.us-east-1.amazonaws.com/",
            "127.0.0.1",
            "evil.example",
        ] {
            assert!(!is_amazon_s3(other), "{other}");
        }
    }

    #[test]
    fn the_hosts_of_azure_are_those_of_its_accounts() {
        for own in [
            "files.blob.core.windows.net",
            "files-secondary.blob.core.windows.net",
            "Files1.blob.core.usgovcloudapi.net",
            "files.blob.core.chinacloudapi.cn",
            "files.z41.blob.storage.azure.net",
        ] {
            assert!(is_azure(own), "{own}");
        }
        for other in [
            "blob.core.windows.net",
            "evilblob.core.windows.net",
            "files.blob.core.windows.net.evil.example",
            "a.b.blob.core.windows.net",
            "files.zx.blob.storage.azure.net",
            "files.cloudapp.azure.com",
            "files.azurewebsites.net",
            "evil.example#.blob.core.windows.net",
        ] {
            assert!(!is_azure(other), "{other}");
        }
    }
}
