use super::*;

/// A header with the platform, the system and the browser that Mattermost names for it.
const KNOWN: [(&str, &str, &str, &str); 31] = [
    (
        "Mozilla/5.0 (Windows NT 6.1; WOW64; rv:40.0) Gecko/20100101 Firefox/40.1",
        "Windows",
        "Windows 7",
        "Firefox/40.1",
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_12_6) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/60.0.3112.90 Safari/537.36",
        "Macintosh",
        "Mac OS",
        "Chrome/60.0.3112",
    ),
    (
        "Mozilla/5.0 (Linux; Android 6.0; Nexus 5 Build/MRA58N) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/60.0.3112.113 Mobile Safari/537.36",
        "Linux",
        "Android",
        "Chrome/60.0.3112",
    ),
    (
        "Mozilla/5.0 (Linux; Android 8.0.0; Nexus 5X Build/OPR6.170623.013; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/61.0.3163.81 Mobile Safari/537.36 Web-Atoms-Mobile-WebView",
        "Linux",
        "Android",
        "Chrome/61.0.3163",
    ),
    ("mmctl/5.20.0 (linux)", "Linux", "Linux", "mmctl/5.20.0"),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_12_6) AppleWebKit/537.36 (KHTML, like Gecko) Mattermost/3.7.1 Chrome/56.0.2924.87 Electron/1.6.11 Safari/537.36",
        "Macintosh",
        "Mac OS",
        "Desktop App/3.7.1",
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_12_6) AppleWebKit/537.36 (KHTML, like Gecko) Franz/4.0.4 Chrome/52.0.2743.82 Electron/1.3.1 Safari/537.36",
        "Macintosh",
        "Mac OS",
        "Desktop App/4.0.4",
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/51.0.2704.79 Safari/537.36 Edge/14.14393",
        "Windows",
        "Windows 10",
        "Edge/14.14393",
    ),
    ("Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 7.1; Trident/5.0", "Windows", "Windows", "Internet Explorer/9.0"),
    (
        "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
        "Windows",
        "Windows 10",
        "Internet Explorer/11.0",
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C; .NET4.0E; .NET CLR 2.0.50727; Zoom 3.6.0; rv:11.0) like Gecko",
        "Windows",
        "Windows 10",
        "Internet Explorer/11.0",
    ),
    (
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C; .NET4.0E; InfoPath.3; Zoom 3.6.0)",
        "Windows",
        "Windows 10",
        "Internet Explorer/7.0",
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_12_6) AppleWebKit/604.1.38 (KHTML, like Gecko) Version/11.0 Safari/604.1.38",
        "Macintosh",
        "Mac OS",
        "Safari/11.0",
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_10_4) AppleWebKit/600.7.12 (KHTML, like Gecko) Version/8.0.7 Safari/600.7.12",
        "Macintosh",
        "Mac OS",
        "Safari/8.0.7",
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 9_1 like Mac OS X) AppleWebKit/601.1.46 (KHTML, like Gecko) Version/9.0 Mobile/13B137 Safari/601.1",
        "iPhone",
        "iOS",
        "Safari/9.0",
    ),
    ("Mattermost Mobile/2.7.0+482 (Android; 13; sdk_gphone64_arm64)", "Linux", "Android", "Mobile App/2.7.0+482"),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:132.0) Gecko/20100101 Firefox/132.0",
        "Macintosh",
        "Mac OS",
        "Firefox/132.0",
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.6478.127 Electron/31.2.1 Safari/537.36 Mattermost/5.9.0",
        "Macintosh",
        "Mac OS",
        "Desktop App/5.9.0",
    ),
    (
        "Mattermost Mobile/2.20.0+6000556 (samsung/q4qcsx/q4q:14/UP1A.231005.007/F936WVLU4FXE3:user/release-keys; 14; SM-F936W)",
        "Linux",
        "Android",
        "Mobile App/2.20.0+6000556",
    ),
    (
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Mobile Safari/537.36",
        "Linux",
        "Android",
        "Chrome/129.0",
    ),
    ("Mattermost Mobile/2.20.0+556 (iOS; 17.5.1; iPhone 13)", "iPhone", "iOS", "Mobile App/2.20.0+556"),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
        "iPhone",
        "iOS",
        "Safari/17.5",
    ),
    (
        "Mattermost Mobile/2.21.0+567 (iPadOS; 17.6.1; iPad Pro (11-inch) (1st generation))",
        "iPad",
        "iOS",
        "Mobile App/2.21.0+567",
    ),
    (
        "Mozilla/5.0 (iPad; CPU OS 17_6_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1",
        "iPad",
        "iOS",
        "Safari/17.6",
    ),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Linux", "Linux", "Firefox/128.0"),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91",
        "Windows",
        "Windows 10",
        "Edge/120.0.2210",
    ),
    (
        "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
        "Linux",
        "Chrome OS",
        "Chrome/120.0",
    ),
    ("Mattermost Mobile/", "Linux", "Android", "Mobile App/0.0"),
    ("Mattermost/", "Unknown", "", "Desktop App/0.0"),
    ("curl/8.5.0", "Unknown", "", "Unknown/0.0"),
    ("", "Unknown", "", "Unknown/0.0"),
];

#[test]
fn programs_have_the_names_that_mattermost_gives_them() {
    for (header, platform, os, browser) in KNOWN {
        let agent = Agent::of(header);
        assert_eq!((agent.platform, agent.os, agent.browser.as_str()), (platform, os, browser), "{header}");
    }
}

#[test]
fn a_long_version_is_cut_and_a_telephone_is_mobile() {
    let long = format!("Mattermost Mobile/{} (Android; 13)", "9".repeat(500));
    assert_eq!(Agent::of(&long).browser.len(), "Mobile App/".len() + MAX_VERSION_BYTES);
    assert!(Agent::of("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148").is_mobile);
    assert!(!Agent::of("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0").is_mobile);
}
